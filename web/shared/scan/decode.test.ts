// @vitest-environment node
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { encode } from 'uqr'
import { beforeAll, expect, test } from 'vitest'
import { brightness, decode, prepareDecoder, type Pixels } from './decode.ts'

const CODE = 'CABQAAAS2AV5TQXH2LDEZ3YJ7OMKPW4FUNRB6GIXCVTA2Q3W5Y7S4KZH6DJNE'

beforeAll(async () => {
  const wasm = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm')
  await prepareDecoder({ wasmBinary: new Uint8Array(readFileSync(wasm)).buffer })
})

interface Drawing {
  scale?: number
  dark?: number
  light?: number
  /** Quarter turns. */
  turns?: number
}

/** The code as a camera might see it: on a larger picture, grey rather than black. */
function draw(text: string, { scale = 6, dark = 20, light = 235, turns = 0 }: Drawing = {}): Pixels {
  const code = encode(text, { ecc: 'M', border: 4 })
  const width = 640
  const height = 480
  const data = new Uint8ClampedArray(width * height * 4).fill(light)
  for (let y = 0; y < code.size * scale; y++) {
    for (let x = 0; x < code.size * scale; x++) {
      let [row, column] = [Math.floor(y / scale), Math.floor(x / scale)]
      for (let turn = 0; turn < turns; turn++) [row, column] = [code.size - 1 - column, row]
      const at = ((y + 60) * width + x + 120) * 4
      data.fill(code.data[row]?.[column] ? dark : light, at, at + 3)
    }
  }
  return { data, width, height }
}

test('the real decoder reads a live code from a picture', async () => {
  expect(await decode(draw(CODE), false)).toBe(CODE)
})

test('a code of three pixels a module is enough', async () => {
  expect(await decode(draw(CODE, { scale: 3 }), false)).toBe(CODE)
})

test('the thorough look reads turned, inverted and faint codes', async () => {
  expect(await decode(draw(CODE, { turns: 1 }), true)).toBe(CODE)
  expect(await decode(draw(CODE, { dark: 235, light: 20 }), true)).toBe(CODE)
  expect(await decode(draw(CODE, { dark: 90, light: 150 }), true)).toBe(CODE)
})

test('another’s code comes out as it is written', async () => {
  const address = 'https://example.com/?q=<b>1</b>&x="2"'
  expect(await decode(draw(address, { scale: 4 }), false)).toBe(address)
})

test('a picture without a code has none', async () => {
  const blank = { data: new Uint8ClampedArray(320 * 240 * 4).fill(200), width: 320, height: 240 }
  expect(await decode(blank, false)).toBeNull()
  expect(await decode(blank, true)).toBeNull()
})

test('brightness tells a dark picture from a light one', () => {
  const grey = (level: number): Pixels => ({ data: new Uint8ClampedArray(100 * 100 * 4).fill(level), width: 100, height: 100 })
  expect(brightness(grey(10))).toBeCloseTo(10, 0)
  expect(brightness(grey(220))).toBeCloseTo(220, 0)
})
