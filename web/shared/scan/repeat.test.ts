import { expect, test } from 'vitest'
import { RepeatGuard } from './repeat.ts'

test('a code held before the camera for a thousand frames is let through once', () => {
  const guard = new RepeatGuard()
  const accepted = Array.from({ length: 1000 }, (_, frame) => guard.accept('A', frame * 66)).filter(Boolean)
  expect(accepted).toHaveLength(1)
})

test('the next person’s code passes at once', () => {
  const guard = new RepeatGuard()
  expect(guard.accept('A', 0)).toBe(true)
  expect(guard.accept('B', 10)).toBe(true)
})

test('a code still in sight after a long result is not sent again', () => {
  const guard = new RepeatGuard()
  guard.accept('A', 0)
  guard.resume(30_000)
  expect(guard.accept('A', 30_100)).toBe(false)
})

test('a code held up anew after it was out of sight passes', () => {
  const guard = new RepeatGuard(3000)
  guard.accept('A', 0)
  expect(guard.accept('A', 2999)).toBe(false)
  expect(guard.accept('A', 6000)).toBe(true)
})

test('a code that got no answer may be read again at once', () => {
  const guard = new RepeatGuard()
  guard.accept('A', 0)
  guard.clear()
  expect(guard.accept('A', 66)).toBe(true)
})
