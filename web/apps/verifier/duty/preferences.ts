import { reactive, watch } from 'vue'

/** What a verifier chose on this device. */
export interface Preferences {
  /** Name of the scene last worked in; '' before the first choice. */
  scene: string
  torch: boolean
  /** '' for the camera that looks away from the person. */
  cameraId: string
  sound: boolean
  vibration: boolean
  /** How long an admission stays before scanning goes on; 0 = until tapped. */
  returnAfterMs: number
}

export const RETURN_CHOICES_MS = [1_500, 3_000, 5_000, 0] as const

const KEY = 'citycode.verifier.preferences'

const DEFAULTS: Preferences = { scene: '', torch: false, cameraId: '', sound: true, vibration: true, returnAfterMs: 1_500 }

/** Reads what was kept, field by field: what another version or a person wrote there does no harm. */
export function readPreferences(kept: string | null): Preferences {
  const read: Preferences = { ...DEFAULTS }
  let value: unknown
  try {
    value = JSON.parse(kept ?? 'null')
  } catch {
    return read
  }
  if (typeof value !== 'object' || value === null) return read
  const from = value as Record<string, unknown>
  if (typeof from['scene'] === 'string') read.scene = from['scene']
  if (typeof from['cameraId'] === 'string') read.cameraId = from['cameraId']
  if (typeof from['torch'] === 'boolean') read.torch = from['torch']
  if (typeof from['sound'] === 'boolean') read.sound = from['sound']
  if (typeof from['vibration'] === 'boolean') read.vibration = from['vibration']
  const after = RETURN_CHOICES_MS.find((choice) => choice === from['returnAfterMs'])
  if (after !== undefined) read.returnAfterMs = after
  return read
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

export const preferences = reactive(readPreferences(stored()))

watch(preferences, (now) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(now))
  } catch {
    // Storage full or forbidden: the choice lasts until the page is closed.
  }
})
