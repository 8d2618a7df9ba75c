/** Faults on the way, injected on real sockets; docs/reliability.md has their table. */
import { tryAll } from '../faults/promises.ts'
import { LWA } from '../faults/scenarios.ts'

tryAll('lwa', LWA)
