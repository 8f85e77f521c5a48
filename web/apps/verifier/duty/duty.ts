import { inject, reactive, type InjectionKey } from 'vue'
import type { Base } from '@/shared/app.ts'
import { asFailure, type Failure } from '@/shared/api/failure.ts'
import type { Me, Page, Scene, ScanCounts, ServerTime, Verification } from '@/shared/api/types.ts'
import { preferences } from './preferences.ts'
import { midnight } from './today.ts'

/** How far a device's clock may be off before the verifier is told. */
const CLOCK_OFF_MS = 120_000
/** The server's time is asked for this often, and more often while it can't be reached. */
const CLOCK_EVERY_MS = 300_000
const PROBE_EVERY_MS = 5_000
/** Counts of this device's own scans are kept up by hand; the server's are fetched this often at most. */
const COUNT_EVERY_MS = 30_000

export interface DutyState {
  phase: 'loading' | 'ready' | 'stranger' | 'failed'
  me: Me | null
  /** Scenes that this verifier may scan for. */
  scenes: Scene[]
  counts: ScanCounts | null
  failure: Failure | null
  /** How far the device's clock is ahead, ms; 0 while it is near enough. */
  clockOffMs: number
}

/** Who is on duty here, for which scenes, and what was done today. */
export class Duty {
  readonly state = reactive<DutyState>({ phase: 'loading', me: null, scenes: [], counts: null, failure: null, clockOffMs: 0 })
  private countedAt = 0
  private countedDay = 0
  private timer: ReturnType<typeof setTimeout> | null = null

  constructor(private readonly base: Base) {}

  /** The scene in force: the one last chosen if it is still granted. */
  get scene(): Scene | null {
    return this.state.scenes.find((scene) => scene.name === preferences.scene) ?? this.state.scenes[0] ?? null
  }

  async load(): Promise<void> {
    const { api } = this.base
    if (this.state.phase === 'failed') this.state.phase = 'loading'
    try {
      const [me, scenes] = await Promise.all([api.get<Me>('/v1/me'), api.get<Page<Scene>>('/v1/scenes', { anonymous: true })])
      this.state.me = me
      this.state.failure = null
      if (!this.mayVerify(me)) {
        this.state.phase = 'stranger'
        return
      }
      const granted = me.verifier?.scenes ?? []
      this.state.scenes = scenes.items.filter((scene) => granted.includes(scene.name))
      this.state.phase = 'ready'
      void this.count(true)
    } catch (error) {
      this.state.failure = asFailure(error)
      // A verifier at work isn't sent away by a lost network: what was known stays in force.
      if (this.state.phase === 'loading') this.state.phase = 'failed'
    }
  }

  /** Forgets the person; nothing of theirs is left for the next one on this device. */
  leave(): void {
    Object.assign(this.state, { phase: 'loading', me: null, scenes: [], counts: null, failure: null })
    this.countedAt = 0
  }

  /** When today began in the city, Unix ms by the server's clock. */
  today(): number {
    return midnight(this.base.clock.now(), this.base.city.known?.utc_offset_minutes ?? 480)
  }

  /** A scan was answered: counted here at once, and at the server's word a little later. */
  add(verification: Verification): void {
    const { counts } = this.state
    if (counts !== null && verification.repeated !== true) {
      counts.total++
      counts.by_admission[verification.admission] = (counts.by_admission[verification.admission] ?? 0) + 1
      counts.by_outcome[verification.outcome] = (counts.by_outcome[verification.outcome] ?? 0) + 1
    }
    void this.count(false)
  }

  /** Fetches today's counts; a failure leaves the old ones. */
  async count(now: boolean): Promise<void> {
    const day = this.today()
    const due = performance.now() - this.countedAt > COUNT_EVERY_MS || day !== this.countedDay
    if (!now && !due) return
    this.countedAt = performance.now()
    try {
      const counts = await this.base.api.get<ScanCounts>('/v1/verifications/counts', { query: { from: new Date(day).toISOString() } })
      this.countedDay = day
      this.state.counts = counts
    } catch {
      this.countedAt = 0
    }
  }

  /** Watches the server's clock and, while it is out of reach, for its return. */
  watchClock(): () => void {
    let stopped = false
    const look = async (): Promise<void> => {
      if (this.timer !== null) clearTimeout(this.timer)
      this.timer = null
      try {
        await this.base.api.get<ServerTime>('/v1/time', { anonymous: true })
        const ahead = this.base.clock.phoneAheadMs()
        this.state.clockOffMs = Math.abs(ahead) > CLOCK_OFF_MS ? ahead : 0
        if (this.state.phase === 'ready') void this.count(false) // a new day begins at nought
      } catch {
        // The client has told the network watch; this only comes back to ask again.
      }
      if (stopped) return
      this.timer = setTimeout(() => void look(), this.base.network.down ? PROBE_EVERY_MS : CLOCK_EVERY_MS)
    }
    const now = (): void => {
      if (document.visibilityState === 'visible') void look()
    }
    addEventListener('online', now)
    document.addEventListener('visibilitychange', now)
    void look()
    return () => {
      stopped = true
      removeEventListener('online', now)
      document.removeEventListener('visibilitychange', now)
      if (this.timer !== null) clearTimeout(this.timer)
    }
  }

  private mayVerify(me: Me): boolean {
    const grant = me.verifier
    if (!me.roles.includes('verifier') || grant === null || grant === undefined) return false
    const until = grant.until === null || grant.until === undefined ? Infinity : Date.parse(grant.until)
    return until > this.base.clock.now()
  }
}

export const dutyKey: InjectionKey<Duty> = Symbol('duty')

export function useDuty(): Duty {
  const duty = inject(dutyKey)
  if (duty === undefined) throw new Error('no duty: App.vue provides it')
  return duty
}
