import { trimCode } from '@/shared/scan/classify.ts'

/**
 * What a person typed, as a code: people group long texts with spaces, and input methods leave
 * full-width letters. Only where the rest can be a code at all; an address or another text stays as
 * it was entered.
 */
export function typedCode(text: string): string {
  const close = text.normalize('NFKC').replace(/[\s-]+/g, '')
  return /^[A-Za-z0-9]*$/.test(close) ? trimCode(close) : text.trim()
}
