/** `npm run generate`: writes what is made from other files. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { GENERATED } from './generated.ts'

for (const [file, make] of Object.entries(GENERATED)) {
  writeFileSync(path.join(import.meta.dirname, '../..', file), make())
}
