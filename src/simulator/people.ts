/**
 * Made-up people, the same for the same seed. Addresses are at example.com (RFC 2606), telephone numbers in the range
 * kept for fiction (555-01xx); streets do not exist. Nothing here belongs to anybody.
 */
import { createHash } from 'node:crypto'

export type Person = {
  readonly name: string
  readonly email: string
  readonly phone: string
  readonly street: string
  readonly city: string
  readonly region: string
  readonly postalCode: string
  readonly country: 'US'
}

const FIRST = ['Ada', 'Bela', 'Chidi', 'Dana', 'Emre', 'Freya', 'Goran', 'Hana', 'Ines', 'Jonas', 'Kofi', 'Lena']
const LAST = ['Abara', 'Brandt', 'Castillo', 'Dogan', 'Eriksen', 'Fontaine', 'Greco', 'Haugen', 'Ito', 'Jensen']
const CITIES = [
  ['Springfield', 'IL', '62701'],
  ['Riverton', 'WY', '82501'],
  ['Fairview', 'TN', '37062'],
  ['Georgetown', 'TX', '78626'],
] as const

/** @param seed e.g. a seller id and an order id; equal seeds give equal people. */
export const person = (...seed: readonly string[]): Person => {
  const hash = createHash('sha256').update(seed.join('\n')).digest()
  const first = FIRST[hash.readUInt16BE(0) % FIRST.length] ?? 'Ada'
  const last = LAST[hash.readUInt16BE(2) % LAST.length] ?? 'Abara'
  const [city, region, postalCode] = CITIES[hash.readUInt16BE(4) % CITIES.length] ?? CITIES[0]
  return {
    name: `${first} ${last}`,
    email: `${first}.${last}.${hash.toString('hex', 6, 10)}@example.com`.toLowerCase(),
    phone: `+1 555-01${String(hash.readUInt16BE(10) % 100).padStart(2, '0')}`,
    street: `${1 + (hash.readUInt16BE(12) % 980)} Simulated Street`,
    city,
    region,
    postalCode,
    country: 'US',
  }
}

/** A person's address in the shape that Orders v0 and Shipment Invoicing v0 share. */
export const shippingAddress = ({ name, street, city, region, postalCode, country, phone }: Person) => ({
  Name: name,
  AddressLine1: street,
  City: city,
  StateOrRegion: region,
  PostalCode: postalCode,
  CountryCode: country,
  Phone: phone,
})
