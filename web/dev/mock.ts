import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Plugin } from 'vite'

/**
 * Answers /v1 in the dev server while CITYCODE_URL names no real one: enough to
 * look at the pages. Nothing is sealed, checked or kept. POST /v1/mock with
 * {"color","offline","degraded","expire_tokens","code_lifetime_s"} changes what it answers.
 */
export function mockServer(): Plugin {
  return {
    name: 'mock-server',
    apply: 'serve',
    configureServer(server) {
      const mock = new Mock()
      server.middlewares.use((req, res, next) => {
        if (!req.url?.startsWith('/v1/')) return next()
        mock.answer(req, res).catch((error: unknown) => {
          console.error(error)
          res.destroy()
        })
      })
    },
  }
}

type Color = 'green' | 'yellow' | 'red'
interface Minted { text: string; color: Color; name: string; at: number }

const people: Record<string, { color: Color; name: string; masked: string; app: string; zh: [string, string]; en: [string, string] }> = {
  'resident-green': { color: 'green', name: '张晓三', masked: '张*三', app: 'resident', zh: ['绿码居民', '亮出绿码，看时间跳动，再让核验人员扫一扫'], en: ['Resident, green', 'Show a green code and have it scanned'] },
  'resident-yellow': { color: 'yellow', name: '李四', masked: '李*', app: 'resident', zh: ['黄码居民', '亮出黄码，核验人员会请您稍候复核'], en: ['Resident, yellow', 'Show a yellow code: the verifier takes a closer look'] },
  'resident-red': { color: 'red', name: '欧阳建明', masked: '欧**明', app: 'resident', zh: ['红码居民', '亮出红码，看核验结果如何劝阻'], en: ['Resident, red', 'Show a red code and see it refused'] },
  elder: { color: 'green', name: '王秀英', masked: '王*英', app: 'resident', zh: ['老年居民', '在“我的”里换成大字，试试长者版'], en: ['Elderly resident', 'Switch to large text under “Me”'] },
  verifier: { color: 'green', name: '赵卫国', masked: '赵*国', app: 'verifier', zh: ['核验人员', '用相机扫居民手机上的码'], en: ['Verifier', 'Scan a resident’s code with the camera'] },
}

class Mock {
  #tokens = new Map<string, string>()
  #codes = new Map<string, Minted>()
  #scans: Record<string, unknown>[] = []
  #keys = new Map<string, Record<string, unknown>>()
  #streams = new Set<{ res: ServerResponse; persona: string }>()
  #colors = new Map<string, Color>()
  #state = { offline: false, degraded: false, code_lifetime_s: 60, fail: 0 }

  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://mock')
    const path = url.pathname
    const body = await read(req)
    const en = (req.headers['accept-language'] ?? '').startsWith('en')
    const send = (status: number, value?: unknown, headers: Record<string, string> = {}) => {
      res.writeHead(status, { 'Content-Type': status >= 400 ? 'application/problem+json' : 'application/json', ...headers })
      res.end(value === undefined ? '' : JSON.stringify(value))
    }
    const problem = (status: number, code: string) => send(status, { status, code, title: code, request_id: randomUUID() })

    if (path === '/v1/mock') {
      if (body['color']) for (const persona of Object.keys(people)) this.#colors.set(persona, body['color'] as Color)
      if (body['expire_tokens']) this.#tokens.clear()
      Object.assign(this.#state, body)
      for (const stream of this.#streams) this.#tell(stream.res, stream.persona, en)
      return send(200, this.#state)
    }
    if (this.#state.offline) return void req.socket.destroy()
    if (this.#state.fail) return problem(this.#state.fail, 'database_unavailable')

    if (path === '/v1/city') {
      return send(200, {
        name: en ? 'Sample City' : '演示市', hotline: '12345', zone: 'Asia/Shanghai', utc_offset_minutes: 480,
        demo: true, version: 'dev', sign_in: ['demo'], ...(this.#state as { city?: object }).city,
      })
    }
    if (path === '/v1/time') return send(200, { server_time: iso() })
    if (path === '/v1/scenes') {
      return send(200, { items: [
        { name: 'venue-entry', title: en ? 'Venue entry' : '场所出入', purpose: en ? 'Letting people into a venue' : '进入场所时核验', discloses: ['name'], shows_status: true },
        { name: 'id-check', title: en ? 'Identity check' : '身份核验', purpose: en ? 'Confirming who someone is' : '核对本人身份', discloses: ['name', 'document_number', 'photo'], shows_status: false },
      ] })
    }
    if (path === '/v1/demo/personas') {
      return send(200, { items: Object.entries(people).map(([persona, p]) => ({
        persona, title: (en ? p.en : p.zh)[0], try: (en ? p.en : p.zh)[1], app: p.app,
        person: { name: p.name, document_kind: 'resident_id', document_number: '310000199001010018' },
      })) })
    }
    if (path === '/v1/demo/sessions') {
      const persona = String(body['persona'])
      return people[persona] ? send(201, this.#session(persona)) : problem(404, 'unknown_persona')
    }
    if (path === '/v1/sessions/refresh') {
      const persona = String(body['refresh_token']).split('.')[1] ?? ''
      return people[persona] ? send(200, this.#session(persona)) : problem(401, 'bad_token')
    }

    const persona = this.#tokens.get((req.headers.authorization ?? '').replace('Bearer ', ''))
    const me = persona ? people[persona] : undefined
    if (!persona || !me) return problem(401, 'bad_token')

    if (path === '/v1/sessions/current') return send(204)
    if (path === '/v1/me') {
      return send(200, {
        id: 'p1', name: me.name, document_kind: 'resident_id', document_number: '3****************8', phone: '138****6621', has_photo: false,
        roles: me.app === 'verifier' ? ['resident', 'verifier'] : ['resident'], stepped_up: true,
        verifier: me.app === 'verifier' ? { scenes: ['venue-entry', 'id-check'], until: null } : null,
      })
    }
    if (path === '/v1/me/status') {
      return send(200, { ...this.#status(persona, en), reason: this.#reason(persona, en), changes_at: null, what_to_do: null, facts: [] })
    }
    if (path === '/v1/me/status/events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      const stream = { res, persona }
      this.#streams.add(stream)
      this.#tell(res, persona, en)
      const beat = setInterval(() => res.write(': beat\n\n'), 15_000)
      res.on('close', () => {
        clearInterval(beat)
        this.#streams.delete(stream)
      })
      return
    }
    if (path === '/v1/me/looks') {
      if (persona === 'elder') return send(200, { items: [], next_cursor: null })
      const from = Number(url.searchParams.get('cursor') ?? 0)
      const items = Array.from({ length: 20 }, (_, i) => from + i).map((n) => ({
        id: `look${n}`, at: iso(-n * 5_400_000 - 900_000), scene: n % 3 ? 'venue-entry' : 'id-check',
        scene_title: n % 3 ? (en ? 'Venue entry' : '场所出入') : (en ? 'Identity check' : '身份核验'),
        verifier: '赵*国', outcome: n % 7 === 6 ? 'expired' : 'valid',
        disclosed: n % 7 === 6 ? [] : n % 3 ? ['name', 'status'] : ['name', 'document_number', 'photo'],
      }))
      return send(200, { items, next_cursor: from >= 40 ? null : String(from + 20) })
    }
    if (path === '/v1/codes') {
      const text = base32(38)
      this.#codes.set(text, { text, color: this.#color(persona), name: me.masked, at: Date.now() })
      return send(201, {
        code: { text, kind: 'live', issued_at: iso(), expires_at: iso(this.#state.code_lifetime_s * 1000) },
        status: this.#status(persona, en), holder: { name: me.masked }, server_time: iso(),
        refresh_after_s: this.#state.code_lifetime_s / 2, degraded: this.#state.degraded,
      })
    }
    if (path === '/v1/verifications' && req.method === 'POST') {
      const key = String(req.headers['idempotency-key'] ?? randomUUID())
      const known = this.#keys.get(key)
      if (known) return send(200, { ...known, repeated: true })
      const answer = this.#verify(body, persona, en)
      this.#keys.set(key, answer)
      return send(200, answer)
    }
    if (path === '/v1/verifications') return send(200, { items: this.#scans.slice(0, 20), next_cursor: null })
    if (path === '/v1/verifications/counts') {
      const count = (field: string) => this.#scans.reduce<Record<string, number>>((sum, scan) => {
        const value = scan[field]
        if (typeof value === 'string') sum[value] = (sum[value] ?? 0) + 1
        return sum
      }, {})
      return send(200, { total: this.#scans.length, by_outcome: count('outcome'), by_admission: count('admission'), by_color: count('color') })
    }
    return problem(404, 'not_found')
  }

  #session(persona: string) {
    const token = `${randomUUID()}.${persona}`
    this.#tokens.set(token, persona)
    return { access_token: token, refresh_token: `${randomUUID()}.${persona}`, expires_in: 900, person: { id: 'p1', name: people[persona]?.name } }
  }

  #color(persona: string): Color {
    return this.#colors.get(persona) ?? people[persona]?.color ?? 'green'
  }

  #status(persona: string, en: boolean) {
    const color = this.#color(persona)
    const label = { green: ['绿码', 'Green'], yellow: ['黄码', 'Yellow'], red: ['红码', 'Red'] }[color][en ? 1 : 0]
    return { scheme: 'health', color, label, reason_code: 'no_adverse_record', since: iso(-5_000_000), as_of: iso(-150) }
  }

  #reason(persona: string, en: boolean): string {
    return {
      green: en ? 'No adverse record.' : '没有不利记录。',
      yellow: en ? 'A visit to a place that needs attention was recorded.' : '近期到过需要关注的场所。',
      red: en ? 'Health authorities recorded a confirmed case.' : '卫生健康部门登记为确诊。',
    }[this.#color(persona)]
  }

  #verify(body: Record<string, unknown>, verifier: string, en: boolean): Record<string, unknown> {
    const text = String(body['text'] ?? '').trim().toUpperCase()
    const code = this.#codes.get(text)
    const outcome = !code ? (/^[A-Z2-7]{61}$/.test(text) ? 'forged' : 'malformed') : Date.now() - code.at >= 60_000 ? 'expired' : 'valid'
    const idCheck = body['scene'] === 'id-check'
    const admission = outcome !== 'valid' || !code ? 'refuse' : idCheck ? 'admit' : { green: 'admit', yellow: 'check', red: 'refuse' }[code.color]
    const id = 's' + randomBytes(9).toString('hex')
    const at = iso()
    const valid = outcome === 'valid' && code
    const local = new Date(Date.now() + 8 * 3600_000).toISOString().slice(0, 19).replace('T', ' ')
    const answer = {
      id, outcome, admission, kind: code ? 'live' : null,
      status: valid && !idCheck ? { scheme: 'health', color: code.color, label: en ? code.color : { green: '绿码', yellow: '黄码', red: '红码' }[code.color], reason_code: 'no_adverse_record', since: iso(-5_000_000), as_of: iso() } : null,
      subject: valid ? { name: code.name, ...(idCheck ? { document_number: '3****************8' } : {}) } : null,
      watermark: { text: `${people[verifier]?.masked} 6621 ${local} ${id.slice(-8)}` },
      verified_at: at, durability: 'committed',
    }
    this.#scans.unshift({
      id, outcome, admission, kind: answer.kind, scene: body['scene'], scene_title: idCheck ? (en ? 'Identity check' : '身份核验') : (en ? 'Venue entry' : '场所出入'),
      color: answer.status?.color ?? null, method: body['method'] ?? 'manual', verified_at: at,
    })
    return answer
  }

  #tell(res: ServerResponse, persona: string, en: boolean): void {
    res.write(`event: status\ndata: ${JSON.stringify(this.#status(persona, en))}\n\n`)
  }
}

const iso = (plusMs = 0) => new Date(Date.now() + plusMs).toISOString()

function base32(bytes: number): string {
  let bits = ''
  for (const byte of randomBytes(bytes)) bits += byte.toString(2).padStart(8, '0')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[parseInt(five.padEnd(5, '0'), 2)]).join('')
}

async function read(req: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of req) text += String(chunk)
  try {
    return JSON.parse(text || '{}') as Record<string, unknown>
  } catch {
    return {}
  }
}
