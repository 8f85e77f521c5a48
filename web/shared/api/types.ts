// What the server answers. Times are RFC 3339 in UTC; fields without a value are absent or null.

export type Color = 'green' | 'yellow' | 'red'
export type DocumentKind = 'resident_id' | 'hk_macau_permit' | 'taiwan_permit' | 'passport' | 'foreign_pr'

/** GET /v1/city: what a page may know before anybody signs in. */
export interface City {
  name: string
  hotline: string
  /** IANA name, for example Asia/Shanghai. */
  zone: string
  utc_offset_minutes: number
  demo: boolean
  version: string
  sign_in: string[]
}

export interface ServerTime {
  server_time: string
}

/** GET /v1/scenes. */
export interface Scene {
  name: string
  title: string
  purpose: string
  discloses: string[]
  shows_status: boolean
}

/** GET /v1/demo/personas; exists in demo mode only. */
export interface Persona {
  persona: string
  title: string
  try: string
  app: 'resident' | 'verifier'
  person?: { name: string; document_kind: DocumentKind; document_number: string } | null
}

/** Answer of a sign-in or of POST /v1/sessions/refresh. */
export interface SessionAnswer {
  access_token: string
  refresh_token: string
  /** Seconds. */
  expires_in: number
  person: { id: string; name: string }
}

/** GET /v1/me. The name is clear, numbers are masked. */
export interface Me {
  id: string
  name: string
  document_kind: DocumentKind
  document_number: string
  phone?: string | null
  has_photo: boolean
  roles: string[]
  stepped_up: boolean
  verifier?: { scenes: string[]; until?: string | null } | null
}

export interface Status {
  scheme: string
  color: Color
  label: string
  reason_code: string
  /** When the colour began. */
  since: string
  /** How fresh this answer is. */
  as_of: string
}

/** POST /v1/codes. */
export interface CodeAnswer {
  code: { text: string; kind: 'live' | 'relative'; issued_at: string; expires_at: string }
  status?: Status | null
  holder: { name: string }
  server_time: string
  refresh_after_s: number
  degraded: boolean
}

/** GET /v1/me/status. */
export interface StatusAnswer extends Status {
  reason?: string | null
  changes_at?: string | null
  what_to_do?: string | null
  facts?: { source: string; source_name?: string; kind: string; observed_at: string; received_at?: string }[] | null
}

export type Outcome =
  | 'valid' | 'malformed' | 'unknown_key' | 'forged' | 'not_yet_valid' | 'expired' | 'lapsed'
  | 'replaced' | 'withdrawn' | 'reported_lost' | 'relation_ended' | 'holder_suspended'
  | 'not_for_scene' | 'already_used' | 'unconfirmed' | 'not_valid'
export type Admission = 'admit' | 'check' | 'refuse'
export type Method = 'camera' | 'device' | 'manual'

export interface Page<T> {
  items: T[]
  next_cursor?: string | null
}

/** GET /v1/me/looks: who looked at me. */
export interface Look {
  id: string
  at: string
  scene: string
  scene_title: string
  /** Masked name. */
  verifier: string
  outcome: Outcome
  disclosed: string[]
}

/** POST /v1/verifications. */
export interface Verification {
  id: string
  outcome: Outcome
  admission: Admission
  kind?: 'live' | 'relative' | 'paper' | 'place' | 'ride' | null
  status?: Status | null
  subject?: { name?: string | null; document_number?: string | null; photo_url?: string | null } | null
  watermark: { text: string }
  verified_at: string
  durability: 'committed' | 'replicated_spool' | 'local'
  repeated?: boolean
  degraded?: boolean
}

/** GET /v1/verifications: my own scans; who was scanned is not told again. */
export interface ScanRecord {
  id: string
  outcome: Outcome
  admission: Admission
  kind?: string | null
  scene: string
  scene_title: string
  color?: Color | null
  method: Method
  verified_at: string
}

/** GET /v1/verifications/counts. */
export interface ScanCounts {
  total: number
  by_outcome: Partial<Record<Outcome, number>>
  by_admission: Partial<Record<Admission, number>>
  by_color: Partial<Record<Color, number>>
}

/** application/problem+json, RFC 9457. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  code?: string
  errors?: { location?: string; name?: string; message?: string; code?: string }[]
  request_id?: string
}
