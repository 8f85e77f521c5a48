import { enter, everything, openScanner, result, scan } from '../lib/apps.ts'
import { qrPicture } from '../lib/camera.ts'
import { masked } from '../lib/city.ts'
import { expect, test } from '../lib/test.ts'

/** What people hold before a city's scanner, and the words that must help. */
const others: { name: string; qr: string | number[]; says: RegExp; sent?: boolean }[] = [
  { name: 'a web address', qr: 'https://example.com/menu?table=4', says: /网址/ },
  { name: 'a payment code', qr: '134650912345678901', says: /付款码/ },
  { name: "a wallet's address", qr: 'https://qr.alipay.com/fkx1234567890abcdef', says: /付款码/ },
  { name: 'a contact card', qr: 'BEGIN:VCARD\nVERSION:3.0\nFN:Somebody Else\nTEL:13800000000\nEND:VCARD', says: /别的应用/ },
  { name: 'a document number', qr: '310000199003121013', says: /证件号码/ },
  { name: "a place's poster", qr: `HTTPS://CODE.EXAMPLE.ORG/P/${'A2'.repeat(21)}`, says: /场所码/, sent: true },
  { name: 'more than 512 characters', qr: 'ABCDEFGH'.repeat(80), says: /太多|太长/, sent: true },
  { name: 'bytes that are no text', qr: [0, 1, 2, 3, 255, 254, 200, 128, 7, 9, 31, 250, 251], says: /读不出来|不是城市码/ },
  { name: 'Chinese text', qr: '欢迎光临本店，请扫码点餐', says: /不是城市码/, sent: true },
]

test('other people’s QR codes get a helpful answer, are recorded, and don’t leave the phone', async ({ phone }) => {
  const verifier = await openScanner(phone)
  const bodies: string[] = []
  verifier.page.on('request', (request) => bodies.push(request.postData() ?? ''))
  for (const { name, qr, says, sent } of others) {
    await test.step(name, async () => {
      bodies.length = 0
      const answer = await scan(verifier, qrPicture(qr))
      expect(answer).toMatchObject({ outcome: 'malformed', admission: 'refuse' })
      await expect(result(verifier.page)).toHaveAttribute('data-tone', 'invalid')
      await expect(result(verifier.page)).toContainText(says)
      await expect(verifier.page.getByTestId('watermark')).toBeVisible()
      if (!sent && typeof qr === 'string') {
        for (const body of bodies) expect(body).not.toContain(qr.slice(0, 20))
      }
      await verifier.page.getByTestId('scan-next').click()
      await expect(result(verifier.page)).toHaveCount(0)
    })
  }
})

test('a code in lower case, with spaces or a line end around it is still the code', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  const forms: [string, (text: string) => string][] = [
    ['lower case', (text) => text.toLowerCase()],
    ['spaces around', (text) => `  ${text} \t`],
    ['groups of four', (text) => text.replace(/(.{4})/g, '$1 ')],
    ['full-width letters', (text) => text.replace(/[A-Z2-7]/g, (char) => String.fromCodePoint(char.codePointAt(0)! + 0xfee0))],
  ]
  for (const [name, change] of forms) {
    await test.step(name, async () => {
      const answer = await enter(verifier.page, change((await city.mint('resident-green')).code.text))
      expect(answer).toMatchObject({ outcome: 'valid', admission: 'admit' })
      await verifier.page.getByTestId('scan-next').click()
    })
  }
  await test.step('lower case as a QR code', async () => {
    const answer = await scan(verifier, qrPicture((await city.mint('resident-green')).code.text.toLowerCase() + '\n'))
    expect(answer).toMatchObject({ outcome: 'valid', admission: 'admit' })
  })
})

test('cut, doubled and oversized texts are malformed and say what is wrong', async ({ phone, city }) => {
  const person = await city.persona('resident-green')
  const verifier = await openScanner(phone)
  const { text } = (await city.mint('resident-green')).code
  const forms: [string, string, RegExp][] = [
    ['cut', text.slice(0, 45), /不完整/],
    ['one character short', text.slice(0, -1), /不完整/],
    ['doubled', text + text, /不完整|太多/],
    ['one character more', `${text}A`, /不完整/],
    ['digits that no code has', `${text.slice(0, -4)}0189`, /不是城市码/],
    ['over 512 characters', 'A'.repeat(600), /太多|太长/],
    ['a script', '<script>alert(1)</script>', /不是城市码/],
    ['a quote', `' or 1=1 --`, /不是城市码/],
  ]
  for (const [name, given, says] of forms) {
    await test.step(name, async () => {
      const answer = await enter(verifier.page, given)
      expect(answer).toMatchObject({ outcome: 'malformed', admission: 'refuse' })
      await expect(result(verifier.page)).toContainText(says)
      expect(await everything(verifier.page)).not.toContain(masked(person.name))
      await verifier.page.getByTestId('scan-next').click()
    })
  }
})

test('the same code twice is two scans with the same answer', async ({ phone, city }) => {
  const verifier = await openScanner(phone, { preferences: { returnAfterMs: 0 } })
  const { text } = (await city.mint('resident-green')).code
  const first = await enter(verifier.page, text)
  await verifier.page.getByTestId('scan-next').click()
  const second = await enter(verifier.page, text)
  expect(second).toMatchObject({ outcome: 'valid', admission: 'admit' })
  expect(second.id).not.toBe(first.id)
})
