/**
 * Bytes that nobody would send, at a real `serve`. FUZZ_CONNECTIONS says how many, FUZZ_SEED which: a failure names its seed. What is
 * right is said by a reading of our own (support/fuzz/oracle.ts), not by the sidecar.
 */
import { test } from 'node:test'
import { fuzz, numberFrom } from '../support/fuzz/run.ts'

test('whatever comes on a connection, nothing goes out that it does not hold, no restricted call unannounced, no RDT astray, and the process lives', (t) =>
  fuzz(t, { seed: numberFrom('FUZZ_SEED', 8), connections: numberFrom('FUZZ_CONNECTIONS', 3000) }))
