import { expect, test } from 'vitest'
import { LEAN, tileFor } from './watermark.ts'

const TEXT = '赵*国 6621 2026-11-22 14:03:05 7f3k2m9q'

test('the watermark leans by 30°', () => {
  expect(Math.abs(LEAN)).toBe(30)
})

test('the text never runs into its own repeat', () => {
  for (const text of [TEXT, '赵', '阿卜杜拉·买买提·艾力·吐尔逊 6621 2026-11-22 14:03:05 7f3k2m9q', 'M* 1234 2026-11-22 14:03:05 7f3k2m9q']) {
    const wide = [...text].reduce((sum, char) => sum + (char.charCodeAt(0) > 0x2e80 ? 1 : 0.6), 0) * 14
    expect(tileFor(text, 14).width).toBeGreaterThan(wide)
  }
})

test('rows are shifted like bricks, without a seam', () => {
  const { width, height, lines } = tileFor(TEXT, 14)
  const [first, second, wrapped] = lines
  expect(first).toEqual({ x: 0, y: height * 0.25 })
  expect((second?.x ?? 0) - (wrapped?.x ?? 0)).toBe(width)
  expect(second?.y).toBe(wrapped?.y)
})

test('a phone’s screen holds the text many times over', () => {
  const { width, height } = tileFor(TEXT, 14)
  expect((360 * 740 * 2) / (width * height)).toBeGreaterThan(12)
})
