// What the server answers, by the names that pages use. The shapes come from the server's own OpenAPI
// document (npm run generate); here they only get their closed sets of words where it says "string".
import type { components } from './schema.d.ts'

type Schemas = components['schemas']
type Narrow<T, U> = Omit<T, keyof U> & U

export type Color = Schemas['StatusInfo']['color']
export type Admission = Schemas['Verification']['admission']
/** Also those of codes that this release doesn't read yet: a page must not break on them. */
export type Outcome =
  | Schemas['Verification']['outcome']
  | 'lapsed' | 'replaced' | 'withdrawn' | 'reported_lost' | 'relation_ended' | 'holder_suspended'
export type Method = NonNullable<Schemas['VerificationRequest']['method']>
export type DocumentKind = 'resident_id' | 'hk_macau_permit' | 'taiwan_permit' | 'passport' | 'foreign_pr'

export interface Page<T> {
  items: T[]
  next_cursor?: string | null
}

/** GET /v1/city: what a page may know before anybody signs in. */
export type City = Schemas['City']
export type ServerTime = Schemas['Clock']
/** An item of GET /v1/scenes. */
export type Scene = Schemas['SceneInfo']
/** An item of GET /v1/demo/personas, which exists in demo mode only. */
export type Persona = Schemas['PersonaInfo']
/** A sign-in, or POST /v1/sessions/refresh; expires_in in seconds. */
export type SessionAnswer = Schemas['SignedInSession']
/** GET /v1/me: the name clear, numbers masked. */
export type Me = Narrow<Schemas['SignedInPerson'], { document_kind: DocumentKind }>
export type Status = Schemas['StatusInfo']
/** POST /v1/codes. */
export type CodeAnswer = Schemas['ShownCode']
/** GET /v1/me/status. */
export type StatusAnswer = Schemas['MyStatus']
/** An item of GET /v1/me/looks: who looked at me; the name masked. */
export type Look = Narrow<Schemas['Look'], { outcome: Outcome }>
/** POST /v1/verifications. */
export type Verification = Narrow<Schemas['Verification'], { outcome: Outcome }>
/** An item of GET /v1/verifications, my own scans: who was scanned is not told again. */
export type ScanRecord = Narrow<Schemas['ScanInfo'], { outcome: Outcome; admission: Admission; color: Color | null; method: Method }>
/** GET /v1/verifications/counts. */
export type ScanCounts = Narrow<Schemas['ScanCounts'], {
  by_outcome: Partial<Record<Outcome, number>>
  by_admission: Partial<Record<Admission, number>>
  by_color: Partial<Record<Color, number>>
}>
/** application/problem+json, RFC 9457. A proxy's own may lack any of it. */
export type Problem = Partial<Schemas['Problem']>
