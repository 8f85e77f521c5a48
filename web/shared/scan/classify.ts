/**
 * What a scanned text looks like. Only for the hint that a person reads: whether a code is
 * genuine is the server's to say, and a text that looks like a city code may still be anything.
 */
export type Looks =
  | 'city' // letters and digits of base32 only, of a length that a city code has
  | 'cut' // base32 only, but no city code has this length
  | 'place' // the address of a poster that an organisation put up
  | 'url'
  | 'payment'
  | 'document' // a resident's document number
  | 'app' // opens another app: Wi-Fi, contact card, mail
  | 'empty'
  | 'oversize'
  | 'binary'
  | 'other'

/** Longest text that the server reads as a code; longer ones are malformed by definition. */
export const MAX_CODE_BYTES = 512

/** Characters in a live or relative's code. */
export const LIVE_CODE_LENGTH = 61

const PAPER_CODE_LENGTH = 132

/** Strips what surrounds a code (tab, line ends, spaces) and nothing else, and upper-cases A-Z only. */
export function trimCode(text: string): string {
  return text.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '').replace(/[a-z]+/g, (letters) => letters.toUpperCase())
}

export function looksLike(text: string): Looks {
  const code = trimCode(text)
  if (code === '') return 'empty'
  if (byteLength(code) > MAX_CODE_BYTES) return 'oversize'
  if (/^[A-Z2-7]+$/.test(code)) return code.length === LIVE_CODE_LENGTH || code.length === PAPER_CODE_LENGTH ? 'city' : 'cut'
  if (/^HTTPS:\/\/[^/]+\/P\/[A-Z2-7]{42}$/.test(code)) return 'place'
  if (isPayment(code)) return 'payment'
  if (/^\d{17}[\dX]$/.test(code)) return 'document'
  if (/^(HTTPS?|FTP):\/\//.test(code) || /^WWW\./.test(code)) return 'url'
  if (/^(WIFI|MATMSG|MECARD|MAILTO|TEL|SMSTO|SMS|GEO|BEGIN|OTPAUTH):/.test(code) || /^[A-Z][A-Z0-9+.-]*:\/\//.test(code)) return 'app'
  if (hasControls(code)) return 'binary'
  return 'other'
}

/** Stands in for a text that is certainly no city code and is nobody else's business. */
export const STAND_IN = 'NOT-A-CITY-CODE'

/**
 * The text to ask the server about. Payment codes, addresses and document numbers that came before
 * the camera by mistake don't leave this device: a stand-in that is just as malformed goes in their
 * place, so that the scan is answered and recorded like any other. Oversized texts are cut, still
 * too long to be a code.
 */
export function textToSend(text: string): string {
  switch (looksLike(text)) {
    case 'payment':
    case 'url':
    case 'app':
    case 'document':
    case 'empty':
    case 'binary':
      return STAND_IN
    case 'oversize':
      return text.slice(0, MAX_CODE_BYTES + 1)
    default:
      return text
  }
}

/**
 * Barcodes of the large wallets (16 to 24 digits with a known beginning), their own schemes, and
 * EMV merchant codes.
 */
function isPayment(code: string): boolean {
  return (
    /^(1[0-5]\d{16}|(2[5-9]|30)\d{14,22}|62\d{17,18})$/.test(code) ||
    /^(WEIXIN|WXP|ALIPAYS?|UPWALLET):\/\//.test(code) ||
    /^HTTPS?:\/\/(QR\.ALIPAY\.COM|WX\.TENPAY\.COM|PAYAPP\.WEIXIN\.QQ\.COM|QR\.95516\.COM)(\/|$)/.test(code) ||
    /^000201\d{4}/.test(code)
  )
}

function hasControls(text: string): boolean {
  // U+FFFD is what undecodable bytes become.
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffd]/.test(text)
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
