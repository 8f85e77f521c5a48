import { expect, test } from 'vitest'
import { readPreferences } from './preferences.ts'
import { midnight } from './today.ts'

test.each([
  ['2026-11-22T16:00:00Z', 480, '2026-11-22T16:00:00Z'],
  ['2026-11-22T15:59:59Z', 480, '2026-11-21T16:00:00Z'],
  ['2026-11-22T03:00:00Z', 480, '2026-11-21T16:00:00Z'],
  ['2026-11-22T03:00:00Z', -300, '2026-11-21T05:00:00Z'],
  ['2026-11-22T03:00:00Z', 0, '2026-11-22T00:00:00Z'],
])('at %s, %i minutes east, today began at %s', (now, offset, began) => {
  expect(new Date(midnight(Date.parse(now), offset)).toISOString()).toBe(new Date(began).toISOString())
})

test('kept choices are read field by field, nonsense falls back', () => {
  const fallback = readPreferences(null)
  expect(fallback).toMatchObject({ sound: true, vibration: true, torch: false, returnAfterMs: 1_500 })
  expect(readPreferences('{')).toEqual(fallback)
  expect(readPreferences('[1]')).toEqual(fallback)
  expect(readPreferences('{"scene":"id-check","torch":true,"returnAfterMs":0,"sound":"loud","__proto__":{"x":1}}')).toEqual({
    ...fallback,
    scene: 'id-check',
    torch: true,
    returnAfterMs: 0,
  })
  expect(readPreferences('{"returnAfterMs":99999999}').returnAfterMs).toBe(1_500)
})
