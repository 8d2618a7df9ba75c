/** What the simulator's tests share: a simulator on a clock of their own, and short ways to ask it things. */
import { connect } from 'node:net'
import request, { type Response } from 'supertest'
import { createSimulator } from '../../src/simulator/simulator.ts'

export const MINT_PATH = '/tokens/2021-03-01/restrictedDataToken'
export const LWA_PATH = '/auth/o2/token'
export const ORDER = '/orders/v0/orders/902-1845936-5435001'

export type Resource = { method: string; path: string; dataElements?: string[] }

/** A simulator whose clock stands still until `pass(ms)`. */
export const setUp = () => {
  let time = 1_000
  const sim = createSimulator({ now: () => time })
  const token = sim.accessToken()

  const call = (presented: string | undefined, method: string, path: string, body?: object) => {
    const test = request(sim.handle)[verb(method)](path).set('User-Agent', 'test')
    if (presented !== undefined) test.set('x-amz-access-token', presented)
    return body === undefined ? test : test.send(body)
  }

  const mint = (resources: unknown, more: object = {}, presented = token) =>
    call(presented, 'POST', MINT_PATH, { restrictedResources: resources, ...more })

  /** An RDT for the resources, minted by the standing access token. */
  const rdt = async (...resources: Resource[]): Promise<string> => {
    const answer = await mint(resources)
    if (answer.status !== 200) throw new Error(`no RDT: ${answer.text}`)
    return answer.body.restrictedDataToken
  }

  return {
    sim,
    token,
    call,
    mint,
    rdt,
    pass: (ms: number) => {
      time += ms
    },
  }
}

/** The part of an answer that Amazon's clients look at. */
export const errorOf = (answer: Response): object => ({ status: answer.status, ...answer.body.errors?.[0] })

export const DENIED = {
  status: 403,
  code: 'Unauthorized',
  message: 'Access to requested resource is denied.',
  details: '',
}

/** Sends bytes as they are and resolves to everything that came back until the connection ended. */
export const raw = (base: string, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const socket = connect(Number(port), hostname, () => socket.write(text))
    let received = ''
    socket.setEncoding('latin1').on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', reject).on('close', () => resolve(received))
  })

const verb = (method: string): 'get' | 'post' | 'put' | 'patch' | 'delete' => {
  switch (method) {
    case 'POST':
      return 'post'
    case 'PUT':
      return 'put'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return 'delete'
    default:
      return 'get'
  }
}
