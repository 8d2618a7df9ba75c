/** Faults on the way, injected on real sockets; docs/reliability.md has their table. */
import { tryAll } from '../faults/promises.ts'
import { SP_API } from '../faults/scenarios.ts'

tryAll('call', SP_API)
