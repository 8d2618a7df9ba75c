/** The day of docs/benchmarks.md in miniature: what each client costs in mints, by arithmetic. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Size } from '../bench/day.ts'
import { economySection, measureWay, type Row, WAYS } from '../bench/economy.ts'

const SIZE: Size = { sellers: 3, orders: 30, shipments: 9, documents: 12 }
const PERSONAL = 5 * 30 + 9 + 6
/** Orders, items and address of each order, each shipment, each restricted document. */
const RESOURCES = 3 * 30 + 9 + 6
/** getOrder, getOrderItems, getOrderAddress, getShipment of each selling partner. */
const OPERATIONS = 3 * 4
const DOCUMENTS = 6

const granted = ({ mints, throttled, refused }: Row): number => mints - throttled - refused

/** What a row must come to, by what it does. */
const EXPECTED: Readonly<Record<string, (row: Row) => void>> = {
  'directly, a mint for each call': (row) => {
    assert.equal(granted(row), PERSONAL)
    assert.ok(row.throttled > 0)
    const leastS = PERSONAL / SIZE.sellers - 10 // one a second, burst 10
    assert.ok(row.tookS >= leastS, `${row.tookS} s, at least ${leastS}`)
  },
  'directly, RDTs kept by hand': (row) => {
    assert.deepEqual([row.mints, row.throttled], [OPERATIONS + DOCUMENTS, 0])
  },
  'sidecar, `rdt.scope: generic`': (row) => {
    assert.equal(row.throttled, 0)
    assert.ok(row.mints > OPERATIONS && row.mints <= OPERATIONS + DOCUMENTS, `${row.mints} mints`)
    assert.ok(row.longestS < 0.3, `${row.longestS} s`)
  },
  'sidecar, `rdt.scope: specific`': (row) => {
    assert.equal(row.throttled, 0)
    assert.ok(row.mints <= RESOURCES / 5, `${row.mints} mints`)
    assert.ok(row.longestS < 1, `${row.longestS} s`)
  },
  'sidecar, still minting for each call': (row) => {
    if (row.client === "Amazon's own SDK") return assert.ok(granted(row) >= RESOURCES) // it has several access tokens
    assert.deepEqual([row.mints, row.throttled], [RESOURCES, 0])
  },
}

const rows: Row[] = []
for (const way of WAYS) {
  test(`a day by ${way.client}: ${way.how}`, async () => {
    const row = await measureWay(way, SIZE)
    rows.push(row)
    assert.deepEqual([row.restricted, row.personal, row.refused], [PERSONAL, PERSONAL, 0])
    EXPECTED[way.how]?.(row)
  })
}

test('every way has its arithmetic', () => {
  assert.deepEqual(new Set(WAYS.map(({ how }) => how)), new Set(Object.keys(EXPECTED)))
})

test('behind the sidecar all clients come to the same', () => {
  for (const how of ['sidecar, `rdt.scope: generic`', 'sidecar, `rdt.scope: specific`']) {
    const [first, ...others] = rows.filter((row) => row.how === how).map(({ client: _, ...row }) => row)
    assert.equal(others.length, 2)
    for (const other of others) assert.deepEqual(other, first)
  }
})

test('in specific scope calls wait for company in a mint, in generic scope one mint does for all', () => {
  const [generic, specific] = ['generic', 'specific'].map((scope) => rows.find((row) => row.scope === scope))
  assert.ok(generic && specific && specific.waitedS > generic.waitedS, `${specific?.waitedS} s, ${generic?.waitedS} s`)
})

test('time is virtual: another run comes to the same, to the millisecond', async () => {
  const [way] = WAYS
  assert.ok(way)
  assert.deepEqual(await measureWay(way, SIZE), rows[0])
})

test('the section holds a line for each way, clients that came to the same on one', () => {
  const lines = economySection(rows, SIZE).split('\n')
  assert.equal(lines.filter((line) => line.includes('each of the three')).length, 2)
  for (const { how } of WAYS)
    assert.ok(
      lines.some((line) => line.startsWith(`| ${how} |`)),
      how,
    )
})
