import { expect, test } from 'vitest'
import { typedCode } from './typed.ts'

test.each([
  ['cabq aaas 2av5', 'CABQAAAS2AV5'],
  [' CABQ-AAAS\t', 'CABQAAAS'],
  ['ＣＡＢ２', 'CAB2'],
  ['CAB0', 'CAB0'],
  ['https://example.com/a b', 'https://example.com/a b'],
  ['张三', '张三'],
  ['   ', ''],
])('%j is read as %j', (typed, code) => {
  expect(typedCode(typed)).toBe(code)
})
