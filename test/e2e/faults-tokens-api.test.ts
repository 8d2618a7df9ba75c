/** Faults on the way, injected on real sockets; docs/reliability.md has their table. */
import { tryAll } from '../faults/promises.ts'
import { TOKENS_API } from '../faults/scenarios.ts'

tryAll('mint', TOKENS_API)
