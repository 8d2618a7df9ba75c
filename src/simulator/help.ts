/** The page at `GET /_simulator/`: what this is and how to try it, in plain text. Contains no token. */

export const helpText =
  (): string => `SP-API simulator: Login with Amazon, the Tokens API and restricted operations, with Amazon's rules.
Nothing here is real: made-up people, example.com addresses.

In another terminal (B is this address):

  B=http://127.0.0.1:9700
  LWA=$(curl -s $B/auth/o2/token -d grant_type=refresh_token -d 'refresh_token=Atzr|seller-a' \\
    -d client_id=amzn1.application-oa2-client.simulator -d client_secret=simulated-secret | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  # without an RDT: an order, nothing personal in it
  curl -s $B/orders/v0/orders/902-1845936-5435001 -H "x-amz-access-token: $LWA"

  # with one
  RDT=$(curl -s $B/tokens/2021-03-01/restrictedDataToken -H "x-amz-access-token: $LWA" -H 'content-type: application/json' \\
    -d '{"restrictedResources":[{"method":"GET","path":"/orders/v0/orders/{orderId}","dataElements":["buyerInfo"]}]}' \\
    | sed 's/.*"restrictedDataToken":"\\([^"]*\\)".*/\\1/')
  curl -s $B/orders/v0/orders/902-1845936-5435001 -H "x-amz-access-token: $RDT"

  # make the next two mints fail, let tokens live a minute, look at what was asked
  curl -s $B/_simulator/control -d '{"fail":[{"on":"mint","times":2,"as":503}],"rdtSeconds":60}'
  curl -s $B/_simulator/log

  # rotate the client secret: both are taken, then the new one only; revoke a refresh token
  curl -s $B/_simulator/control -d '{"clientSecrets":["simulated-secret","new-secret"]}'
  curl -s $B/_simulator/control -d '{"clientSecrets":["new-secret"],"revokeRefreshTokens":["Atzr|seller-a"]}'
  curl -s $B/_simulator/control -d '{"reset":true}'

  # for tests of streaming
  curl -s $B/_simulator/bytes/1000000 | wc -c
  curl -s $B/_simulator/echo -H 'content-type: text/plain' --data-binary 'said back'

Credentials: client id amzn1.application-oa2-client.<any>, secret simulated-secret, refresh token Atzr|<any seller id>;
Atzr|<the same seller id>~<anything> is another refresh token of that seller.
Everything else is in docs/simulator.md.
`
