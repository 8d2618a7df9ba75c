/**
 * Pure: what scripts.ts may answer, script by script. Whoever answers otherwise is no store of ours, or answers another question: a
 * connection on which that happens is of no use any more.
 */
import type { Script } from './scripts.ts'

type Check = (value: unknown) => boolean

const isNothing: Check = (value) => value === null
const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = Number.isFinite
const isPlace: Check = (value) => isNumber(value) && (value as number) > 0
/** By the store's clock, in milliseconds. */
const isMoment: Check = (value) => typeof value === 'string' && /^\d+$/.test(value)
/** The same of something that is kept: somebody may have written anything in its place. */
const isWritten = isText

/** A rate that Amazon has named, or none. */
const isRate: Check = (value) => value === '' || (typeof value === 'string' && Number.isFinite(Number(value)))

const isListOf =
  (...checks: readonly Check[]): Check =>
  (value) =>
    Array.isArray(value) && value.length === checks.length && checks.every((check, i) => check(value[i]))
const isTable: Check = (value) => Array.isArray(value) && value.length % 2 === 0 && value.every(isText)
const isOneOf =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value))
const is =
  (word: string): Check =>
  (value) =>
    value === word

const KEPT = [isPlace, isPlace, isNumber, isNumber, isWritten, isText]

const ANSWERS: Readonly<Record<Script, Check>> = {
  claim: isOneOf(
    isListOf(is('won'), isWritten),
    isListOf(is('held')),
    isListOf(is('value'), ...KEPT),
    isListOf(is('refused'), ...KEPT),
  ),
  put: isNothing,
  beat: (value) =>
    Array.isArray(value) && isListOf(isMoment, isNumber)(value.slice(0, 2)) && value.slice(2).every(isTable),
  leave: isNothing,
  flush: isWritten,
  take: isOneOf(
    isListOf(is('granted'), isRate, isNumber, isMoment),
    isListOf(is('queued'), isRate, isNumber, isNumber),
  ),
  settle: isNothing,
}

export const isAnswerTo = (script: Script, answer: unknown): boolean => ANSWERS[script](answer)
