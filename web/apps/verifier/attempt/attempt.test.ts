import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Failure } from '@/shared/api/failure.ts'
import type { Verification } from '@/shared/api/types.ts'
import { Attempt, newKey, retryDelay, type AttemptState, type Scan } from './attempt.ts'

const SCAN: Scan = { text: 'CAB', scene: 'venue-entry', method: 'camera' }
const VALID = { id: 'x', outcome: 'valid', admission: 'admit' } as Verification

type Reply = Verification | Failure | 'silence'

/** A server that gives these replies in turn, the last one for ever. */
function against(...replies: Reply[]) {
  const keys: string[] = []
  const states: AttemptState[] = []
  let at = 0
  const attempt = new Attempt(SCAN, {
    send: (_scan, key, signal, timeoutMs) => {
      keys.push(key)
      const reply = replies[Math.min(at++, replies.length - 1)] ?? 'silence'
      if (reply instanceof Failure) return Promise.reject(reply)
      if (reply !== 'silence') return Promise.resolve(reply)
      return new Promise((_, reject) => {
        const timer = setTimeout(() => reject(new Failure('slow')), timeoutMs)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(new Failure('aborted'))
        })
      })
    },
    changed: (state) => states.push(state),
    random: () => 0.5,
  })
  return { attempt, keys, states, last: () => states.at(-1) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const online = (is: boolean) => vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(is)

test('an answer in time is shown as it is', async () => {
  const { states } = against(VALID)
  await vi.advanceTimersByTimeAsync(0)
  expect(states).toEqual([{ state: 'checking' }, { state: 'answered', verification: VALID, late: false }])
})

test('3 s without an answer can’t be confirmed, though the request goes on', async () => {
  const { states, keys } = against('silence')
  await vi.advanceTimersByTimeAsync(2_999)
  expect(states).toEqual([{ state: 'checking' }])
  await vi.advanceTimersByTimeAsync(1)
  expect(states.at(-1)).toEqual({ state: 'waiting', trouble: 'slow' })
  expect(keys).toHaveLength(1)
})

test('without a network it says so at once', async () => {
  online(false)
  const { last } = against(new Failure('offline'))
  await vi.advanceTimersByTimeAsync(0)
  expect(last()).toEqual({ state: 'waiting', trouble: 'offline' })
})

test('one lost packet is tried again before anybody is alarmed', async () => {
  online(true)
  const { states } = against(new Failure('offline'), VALID)
  await vi.advanceTimersByTimeAsync(500)
  expect(states.map((state) => state.state)).toEqual(['checking', 'answered'])
})

test('every try carries the same key', async () => {
  online(false)
  const { keys, attempt } = against(new Failure('offline'), new Failure('broken', 503), new Failure('busy', 429, {}, 2_000), 'silence', VALID)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(keys.length).toBeGreaterThanOrEqual(5)
  expect(new Set(keys)).toEqual(new Set([attempt.key]))
})

test('a late answer under a minute old is shown, and known to be late', async () => {
  const { last } = against('silence', VALID)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(last()).toEqual({ state: 'answered', verification: VALID, late: true })
})

describe('a minute after the scan', () => {
  test('nothing is shown any more and nothing is asked any more', async () => {
    online(false)
    const { last, keys } = against(new Failure('offline'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(last()).toEqual({ state: 'too_old' })
    const asked = keys.length
    await vi.advanceTimersByTimeAsync(600_000)
    expect(keys).toHaveLength(asked)
  })

  test('an answer that was slept through is no green either', async () => {
    let wall = 0
    let answer: (verification: Verification) => void = () => undefined
    const states: AttemptState[] = []
    new Attempt(SCAN, {
      send: () => new Promise((resolve) => (answer = resolve)),
      changed: (state) => states.push(state),
      monotonic: () => 0, // stood still while the phone slept
      wall: () => wall,
    })
    wall = 61_000
    answer(VALID)
    await vi.advanceTimersByTimeAsync(0)
    expect(states.at(-1)).toEqual({ state: 'too_old' })
  })
})

test('the server’s Retry-After is waited for', async () => {
  const { keys } = against(new Failure('broken', 503, {}, 7_000))
  await vi.advanceTimersByTimeAsync(6_900)
  expect(keys).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(keys).toHaveLength(2)
})

test('an earlier try that still runs on the server is waited for', async () => {
  const { last } = against(new Failure('refused', 409, { code: 'in_progress' }), VALID)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(last()).toMatchObject({ state: 'answered' })
})

test.each([
  [403, 'not_allowed'],
  [422, 'unknown_scene'],
  [409, 'idempotency_mismatch'],
])('%i %s is not tried again', async (status, code) => {
  const { last, keys } = against(new Failure('refused', status, { code }))
  await vi.advanceTimersByTimeAsync(30_000)
  expect(last()).toMatchObject({ state: 'turned_away', failure: { status, code } })
  expect(keys).toHaveLength(1)
})

test('a session that has ended says so', async () => {
  const { last } = against(new Failure('signed_out', 401))
  await vi.advanceTimersByTimeAsync(0)
  expect(last()).toEqual({ state: 'signed_out' })
})

test('the network’s return is used at once', async () => {
  online(false)
  const { attempt, last } = against(new Failure('offline'), new Failure('offline'), new Failure('offline'), VALID)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(last()).toMatchObject({ state: 'waiting' })
  attempt.retryNow()
  await vi.advanceTimersByTimeAsync(0)
  expect(last()).toMatchObject({ state: 'answered' })
})

test('a cancelled attempt is silent', async () => {
  const { attempt, states } = against('silence')
  attempt.cancel()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(states).toEqual([{ state: 'checking' }])
})

test('waits grow, spread by a fifth, and have an end', () => {
  expect([1, 2, 3, 4, 5, 6, 60].map((n) => retryDelay(n, 0, () => 0.5))).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000])
  expect(retryDelay(1, 0, () => 0)).toBe(400)
  expect(retryDelay(1, 0, () => 1)).toBe(600)
  expect(retryDelay(1, 3_600_000)).toBe(20_000)
})

test('keys are UUIDs also where the browser makes none', () => {
  vi.stubGlobal('crypto', { getRandomValues: (bytes: Uint8Array) => bytes.fill(0xff) })
  expect(newKey()).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff')
})
