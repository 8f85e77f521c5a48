import { expect, test } from 'vitest'
import { looksLike, STAND_IN, textToSend, type Looks } from './classify.ts'

const LIVE = 'CABQAAAS2AV5TQXH2LDEZ3YJ7OMKPW4FUNRB6GIXCVTA2Q3W5Y7S4KZH6DJNE'

const cases: [string, Looks][] = [
  [LIVE, 'city'],
  [` \t${LIVE.toLowerCase()}\r\n`, 'city'],
  ['A'.repeat(132), 'city'],
  [LIVE.slice(0, 40), 'cut'],
  [`${LIVE.slice(0, 30)} ${LIVE.slice(30)}`, 'other'],
  ['', 'empty'],
  [' \r\n\t', 'empty'],
  ['A'.repeat(513), 'oversize'],
  ['码'.repeat(171), 'oversize'],
  [`HTTPS://code.example.gov/p/${'A'.repeat(42)}`, 'place'],
  [`https://code.example.gov/p/${'A'.repeat(41)}`, 'url'],
  ['https://example.com/<script>alert(1)</script>', 'url'],
  ['www.example.com', 'url'],
  ['134567890123456789', 'payment'],
  ['284567890123456789', 'payment'],
  ['6212345678901234567', 'payment'],
  ['wxp://f2f0abc', 'payment'],
  ['https://qr.alipay.com/fkx01234', 'payment'],
  ['https://qr.alipay.com.example.org/fkx01234', 'url'],
  ['00020101021229300012', 'payment'],
  ['31010519491231002X', 'document'],
  ['WIFI:S:guest;T:WPA;P:secret;;', 'app'],
  ['BEGIN:VCARD\nFN:someone', 'app'],
  ['openapp://x', 'app'],
  ['\u0000\u0001\u0002', 'binary'],
  ['abc\ufffd', 'binary'],
  ['hello, 世界', 'other'],
  ['ſıkelvinK', 'other'],
]

test.each(cases)('%j looks like %s', (text, looks) => {
  expect(looksLike(text)).toBe(looks)
})

test('payment codes, addresses and document numbers never leave the device', () => {
  for (const [text, looks] of cases) {
    const sent = textToSend(text)
    if (['payment', 'url', 'app', 'document', 'empty', 'binary'].includes(looks)) expect(sent).toBe(STAND_IN)
    else if (looks === 'oversize') expect(text.startsWith(sent)).toBe(true)
    else expect(sent).toBe(text)
  }
})

test('an oversized text stays oversized when it is cut, and what stands in is no code', () => {
  expect(looksLike(textToSend('A'.repeat(4296)))).toBe('oversize')
  expect(looksLike(STAND_IN)).toBe('other')
})
