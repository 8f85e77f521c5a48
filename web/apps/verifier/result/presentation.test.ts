import { expect, test } from 'vitest'
import { Failure } from '@/shared/api/failure.ts'
import { OUTCOMES, present, returnAfter, turnedAway, type Judged, type Tone } from './presentation.ts'
import { SOUNDS, VIBRATIONS } from './feedback.ts'

const judged = (outcome: string, admission: string, photo = false): Judged => ({
  outcome,
  admission,
  status: { scheme: 'health', color: 'green', label: '绿码' },
  ...(photo ? { subject: { name: '张*三', photo_url: '/v1/verifications/x/photo' } } : {}),
})

test.each<[string, string, Tone, string]>([
  ['valid', 'admit', 'admit', 'admit'],
  ['valid', 'check', 'check', 'check'],
  ['valid', 'refuse', 'refuse', 'refuse'],
  ['unconfirmed', 'check', 'check', 'unconfirmed_check'],
  ['unconfirmed', 'refuse', 'unsure', 'unconfirmed_refuse'],
  ['malformed', 'refuse', 'invalid', 'malformed_other'],
  ['unknown_key', 'refuse', 'invalid', 'unknown_key'],
  ['forged', 'refuse', 'invalid', 'forged'],
  ['not_yet_valid', 'refuse', 'invalid', 'not_yet_valid'],
  ['expired', 'refuse', 'invalid', 'expired'],
  ['lapsed', 'refuse', 'invalid', 'lapsed'],
  ['replaced', 'refuse', 'invalid', 'replaced'],
  ['withdrawn', 'refuse', 'invalid', 'withdrawn'],
  ['reported_lost', 'refuse', 'invalid', 'reported_lost'],
  ['relation_ended', 'refuse', 'invalid', 'relation_ended'],
  ['holder_suspended', 'refuse', 'invalid', 'holder_suspended'],
  ['not_for_scene', 'refuse', 'invalid', 'not_for_scene'],
  ['already_used', 'refuse', 'invalid', 'already_used'],
  ['not_valid', 'refuse', 'invalid', 'not_valid'],
])('%s with %s shows as %s', (outcome, admission, tone, about) => {
  expect(present(judged(outcome, admission), 'other')).toEqual({ tone, about })
})

test('nothing but a valid code that the server admits is ever green', () => {
  for (const outcome of [...OUTCOMES, 'something_new', '']) {
    for (const admission of ['admit', 'check', 'refuse', 'something_new', '']) {
      const green = outcome === 'valid' && admission === 'admit'
      expect(present(judged(outcome, admission), 'city').tone === 'admit', `${outcome} ${admission}`).toBe(green)
    }
  }
})

test('what a newer server says reads as not valid', () => {
  expect(present(judged('recalled', 'refuse'), 'city')).toEqual({ tone: 'invalid', about: 'not_valid' })
  expect(present(judged('valid', 'escort'), 'city')).toEqual({ tone: 'invalid', about: 'not_valid' })
})

test('a malformed text is explained by what it looks like', () => {
  expect(present(judged('malformed', 'refuse'), 'payment').about).toBe('malformed_payment')
  expect(present(judged('malformed', 'refuse'), 'city').about).toBe('malformed_city')
})

test('an admission with a photo asks for the comparison', () => {
  expect(present(judged('valid', 'admit', true), 'city')).toEqual({ tone: 'admit', about: 'admit_photo' })
})

test('scanning goes on by itself after an admission only', () => {
  expect(returnAfter(judged('valid', 'admit'), 1_500)).toBe(1_500)
  for (const outcome of OUTCOMES) {
    for (const admission of ['admit', 'check', 'refuse']) {
      if (outcome === 'valid' && admission === 'admit') continue
      expect(returnAfter(judged(outcome, admission), 1_500), `${outcome} ${admission}`).toBeNull()
    }
  }
})

test('scanning does not go on by itself when switched off, or when there is a photo to compare', () => {
  expect(returnAfter(judged('valid', 'admit'), 0)).toBeNull()
  expect(returnAfter(judged('valid', 'admit', true), 1_500)).toBeNull()
})

test('scanning does not go on by itself where no colour decides: the document must be looked at', () => {
  expect(returnAfter({ outcome: 'valid', admission: 'admit', subject: { name: '张*三' } }, 1_500)).toBeNull()
})

test('each tone sounds and vibrates in its own way', () => {
  expect(new Set(Object.values(SOUNDS).map((notes) => JSON.stringify(notes))).size).toBe(5)
  expect(new Set(Object.values(VIBRATIONS).map((pattern) => pattern.join())).size).toBe(5)
})

test.each([
  [403, 'not_allowed', '403'],
  [403, 'step_up_needed', 'step'],
  [422, 'unknown_scene', '422'],
  [422, 'validation_failed', 'other'],
  [409, 'idempotency_key_reused', 'other'],
])('%i %s is explained as %s', (status, code, cause) => {
  expect(turnedAway(new Failure('refused', status, { code }))).toBe(cause)
})
