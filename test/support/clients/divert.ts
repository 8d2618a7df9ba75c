/**
 * Points a client elsewhere that knows Amazon's hosts by heart: an https.Agent whose connections are plain TCP to an
 * address of one's own. The client believes that it speaks TLS with Amazon, and sends Amazon's Host.
 */
import type { ClientRequest } from 'node:http'
import https from 'node:https'
import net from 'node:net'

/**
 * @param routeOf base URL (http) that a connection for this host goes to
 * @param keepAlive connections are used again, whatever `routeOf` says by then
 */
export const divertingAgent = (routeOf: (host: string) => string, keepAlive: boolean): https.Agent => {
  // A class, because superagent (agent: false) has node:https make new agents by the constructor of the global one.
  const DivertingAgent = class extends https.Agent {
    override createConnection({ host }: { host?: string | null | undefined }) {
      const { hostname, port } = new URL(routeOf(host ?? ''))
      return net.connect(Number(port), hostname)
    }
  }
  return new DivertingAgent({ keepAlive })
}

/** Requests of `agent` for SP-API's hosts go without an access token, as for `base`, and with these headers. */
export const withoutToken = (
  agent: https.Agent,
  base: string,
  headers: Readonly<Record<string, string>>,
): https.Agent => {
  const inner = agent as unknown as { addRequest: (request: ClientRequest, options: { host?: string }) => void }
  const add = inner.addRequest.bind(agent)
  inner.addRequest = (request, options) => {
    if (isSpApi(options.host ?? '')) {
      request.removeHeader('x-amz-access-token')
      for (const [name, value] of Object.entries({ host: new URL(base).host, ...headers }))
        request.setHeader(name, value)
    }
    add(request, options)
  }
  return agent
}

/**
 * Whatever this process says over https without an agent of its own goes to the simulator from now on: for clients
 * that have Amazon's LWA endpoint written into them. The last call counts for all.
 */
export const divertAllHttps = (simulator: string): void => {
  target = simulator
  https.globalAgent = everything
}

let target = ''
const everything = divertingAgent(() => target, false)

/** Hosts of SP-API, sandboxes included. */
export const isSpApi = (host: string): boolean => /^(sandbox\.)?sellingpartnerapi-(na|eu|fe)\.amazon\.com$/.test(host)
