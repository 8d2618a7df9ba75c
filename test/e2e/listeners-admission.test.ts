/** Who may call in the name of managed sellers, where calls come over TLS and over a Unix socket: as on a port of loopback. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { callAt } from '../support/caller.ts'
import { selfSigned, noOpenssl as skip } from '../support/certificates.ts'
import { folderFor } from '../support/cli.ts'
import { CALLER_TOKEN, callerRow, startManaged } from '../support/managed.ts'

const ADDRESS = '/orders/v0/orders/902-1845936-5435001/address'
const ITEMS = '/orders/v0/orders/902-1845936-5435001/orderItems'

const PLACES = {
  TLS: (folder: string) => {
    const { cert, certFile, keyFile } = selfSigned(folder, 'localhost')
    return {
      options: { env: { SIDECAR_TLS_CERT_FILE: certFile, SIDECAR_TLS_KEY_FILE: keyFile } },
      placeOf: (port: number) => ({ port, ca: cert }),
    }
  },
  'a Unix socket': (folder: string) => {
    const socketPath = path.join(folder, 'rdt.sock')
    return {
      options: { env: {}, listeners: (endpoint: string) => [{ socketPath, endpoint }] },
      placeOf: () => ({ socketPath }),
    }
  },
}

/** A listener of that kind, with two sellers, and a caller who may ask for addresses of the second of them alone. */
const startAt = async (t: TestContext, kind: keyof typeof PLACES) => {
  const folder = folderFor(t)
  const { options, placeOf } = PLACES[kind](folder)
  const limited = callerRow(folder, 'limited', { sellers: ['seller-b'], operations: ['orders-v0.getOrderAddress'] })
  const pair = await startManaged(t, {
    ...options,
    sellers: ['seller-a', 'seller-b'],
    env: { ...options.env, SIDECAR_AUTH_CALLERS: JSON.stringify([limited.row]) },
  })
  return {
    ...pair,
    limited: limited.token,
    /** Status, and what went wrong. */
    as: async (token: string | undefined, seller: string | undefined, target = ADDRESS, more = {}) => {
      const { status, error } = await callAt(placeOf(pair.port), target, {
        ...(token !== undefined && { 'x-rdt-caller-token': token }),
        ...(seller !== undefined && { 'x-rdt-seller': seller }),
        ...more,
      })
      return error === undefined ? status : `${status} ${error}`
    },
  }
}

for (const kind of ['TLS', 'a Unix socket'] as const)
  test(`over ${kind} a caller proves itself, keeps to its list, and has no call passed on`, { skip }, async (t) => {
    const { as, limited, simulator, calls, callerTokenFile, reload } = await startAt(t, kind)
    for (const wrong of [undefined, '', `${CALLER_TOKEN}x`])
      assert.equal(await as(wrong, 'seller-a'), '403 untrusted-caller')
    for (const mark of ['forwarded', 'x-forwarded-for', 'via', 'origin'])
      assert.equal(await as(CALLER_TOKEN, 'seller-a', ADDRESS, { [mark]: 'x' }), '400 forwarded-call', mark)
    for (const seller of ['seller-a', 'seller-z']) assert.equal(await as(limited, seller), '403 unknown-seller')
    assert.equal(await as(limited, 'seller-b', ITEMS), '403 operation-not-allowed')
    assert.equal(await as(undefined, 'seller-a', ADDRESS, { 'x-amz-access-token': 'Atza|x' }), '400 invalid-header')
    assert.deepEqual(simulator.log(), [])

    assert.equal(await as(CALLER_TOKEN, 'seller-a', ITEMS), 200)
    assert.equal(await as(limited, undefined), 200)
    const own = { 'x-amz-access-token': simulator.accessToken('seller-c') }
    assert.equal(await as(undefined, undefined, ADDRESS, own), 200)
    assert.deepEqual(
      calls().map(({ seller, pii }) => [seller, pii]),
      [
        ['seller-a', true],
        ['seller-b', true],
        ['seller-c', true],
      ],
    )

    writeFileSync(callerTokenFile, `next-${CALLER_TOKEN}\n${CALLER_TOKEN}\n`)
    reload()
    for (const token of [`next-${CALLER_TOKEN}`, CALLER_TOKEN]) assert.equal(await as(token, 'seller-a'), 200)
    writeFileSync(callerTokenFile, `next-${CALLER_TOKEN}\n`)
    reload()
    assert.equal(await as(`next-${CALLER_TOKEN}`, 'seller-a'), 200)
    assert.equal(await as(CALLER_TOKEN, 'seller-a'), '403 untrusted-caller')
  })
