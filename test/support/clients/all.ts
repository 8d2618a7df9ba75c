/** All clients, by the names their users know them by. */
import { amazonSdk } from './amazon-sdk.ts'
import { amazonSpApi } from './amazon-sp-api.ts'
import type { ClientOptions, RealClient } from './client.ts'
import { curl } from './curl.ts'
import { spApiSdk } from './sp-api-sdk.ts'

export const CLIENTS: Readonly<Record<string, (options: ClientOptions) => RealClient>> = {
  'amazon-sp-api': amazonSpApi,
  '@sp-api-sdk': spApiSdk,
  'amazon-sp-api-sdk-js': amazonSdk,
  curl,
}
