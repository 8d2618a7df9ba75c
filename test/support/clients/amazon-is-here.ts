/**
 * Preloaded (`node --import`) before a guide of docs/clients.md, which knows no simulator: what the process says to
 * Amazon's LWA goes to the simulator at AMAZON. SP-API's hosts get nothing: a guide must reach the sidecar.
 */
import https from 'node:https'
import net from 'node:net'

const { hostname, port } = new URL(process.env['AMAZON'] ?? '')

https.Agent.prototype.createConnection = ({ host }) => {
  if (host !== 'api.amazon.com') throw new Error(`a connection to ${host}, past the sidecar`)
  return net.connect(Number(port), hostname)
}
