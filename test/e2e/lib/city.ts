import { spawn, execFile, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const root = dirname(dirname(dirname(__dirname)))

/** The program under test; `make build` makes it. */
export const BINARY = process.env['CITYCODE_BINARY'] ?? join(root, 'bin', 'citycode')

/** How long a slow machine may take to start the program, and to end it. */
const START_MS = 100_000
const END_MS = 30_000

export interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
  person: { id: string; name: string }
}

export interface Person {
  name: string
  document_kind: string
  document_number: string
}

export interface Persona extends Person {
  persona: string
  title: string
  app: 'resident' | 'verifier'
}

export interface CodeAnswer {
  code: { text: string; issued_at: string; expires_at: string }
}

export interface CityOptions {
  /** demo (default) or serve. */
  mode?: 'demo' | 'serve'
  /** Kept and removed by the caller; default: a folder of its own, removed at the end. */
  data?: string
  /** host:port; default: a free port. */
  listen?: string
  people?: number
  /** Further flags. */
  flags?: string[]
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A running `citycode demo` or `citycode serve`. */
export class City {
  private output = ''
  private exited: Promise<void>

  private constructor(
    private readonly child: ChildProcess,
    readonly data: string,
    private readonly ownsData: boolean,
  ) {
    running.add(child)
    const take = (chunk: Buffer) => {
      this.output += chunk.toString()
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    this.exited = new Promise((resolve) => {
      child.once('close', () => {
        running.delete(child)
        resolve()
      })
    })
  }

  /** http://127.0.0.1:PORT */
  url = ''

  get address(): string {
    return this.url.replace('http://', '')
  }

  get log(): string {
    return this.output
  }

  /** Starts the program and waits until it is ready. */
  static async start(options: CityOptions = {}): Promise<City> {
    const { mode = 'demo', listen = '127.0.0.1:0', people = 500, flags = [] } = options
    const data = options.data ?? mkdtempSync(join(tmpdir(), 'citycode-e2e-'))
    const child = spawn(BINARY, [
      mode, '--data', data, '--listen', listen, ...(mode === 'demo' ? ['--people', String(people)] : []), ...flags,
    ], { stdio: ['ignore', 'pipe', 'pipe'], env: withoutSettings() })
    let failure: Error | null = null
    child.once('error', (error) => {
      failure = error
    })
    const city = new City(child, data, options.data === undefined)
    try {
      await until(START_MS, `${BINARY} ${mode} to be ready`, async () => {
        if (failure) throw new Error(`${BINARY} does not start (make build makes it): ${failure.message}`)
        if (child.exitCode !== null) throw new Error(`${BINARY} ${mode} ended with ${child.exitCode}:\n${city.output}`)
        const address = /(?:http:\/\/|address=)(127\.0\.0\.1:[1-9]\d*)/.exec(city.output)?.[1]
        if (address === undefined) return false
        city.url = `http://${address}`
        const answer = await fetch(`${city.url}/readyz`).catch(() => null)
        await answer?.arrayBuffer()
        return answer?.status === 200
      }, () => city.output)
    } catch (error) {
      await city.kill()
      throw error
    }
    return city
  }

  /** Ends the program as an operator does. With keepData another can go on with what it wrote. */
  async stop({ keepData = false } = {}): Promise<void> {
    this.child.kill('SIGTERM')
    const stuck = setTimeout(() => this.child.kill('SIGKILL'), END_MS)
    await this.exited
    clearTimeout(stuck)
    if (!keepData) this.forget()
  }

  /** Ends the program as a power cut does. */
  async kill({ keepData = false } = {}): Promise<void> {
    if (this.child.pid !== undefined) {
      this.child.kill('SIGKILL')
      await this.exited
    }
    if (!keepData) this.forget()
  }

  private forget(): void {
    if (this.ownsData) rmSync(this.data, { recursive: true, force: true })
  }

  /** Runs another command of the program on the same data, beside the server. */
  async command(...args: string[]): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)(BINARY, [...args, '--data', this.data], { env: withoutSettings() })
    return stdout + stderr
  }

  async call<T>(method: string, path: string, body?: unknown, token?: string, headers: Record<string, string> = {}): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        'Accept-Language': 'zh-CN', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  async personas(): Promise<Persona[]> {
    return (await this.call<{ items: Persona[] }>('GET', '/v1/demo/personas')).items
  }

  async persona(name: string): Promise<Persona> {
    const found = (await this.personas()).find((one) => one.persona === name)
    if (!found) throw new Error(`the demo has no persona ${name}`)
    return found
  }

  signIn(persona: string): Promise<Tokens> {
    return this.call('POST', '/v1/demo/sessions', { persona })
  }

  async mint(persona: string): Promise<CodeAnswer> {
    const { access_token } = await this.signIn(persona)
    return this.call('POST', '/v1/codes', {}, access_token)
  }
}

/** The caller's own CITYCODE_ settings must not reach the program under test. */
function withoutSettings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CITYCODE_')))
}

/** Asks until the answer is true. */
export async function until(ms: number, what: string, ask: () => boolean | Promise<boolean>, more: () => string = () => ''): Promise<void> {
  const end = performance.now() + ms
  while (!(await ask())) {
    if (performance.now() > end) throw new Error(`waited ${ms / 1000} s for ${what}\n${more()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A name as others may see it: one character stays, of two the first, of more the first and the last. */
export function masked(name: string): string {
  const runes = [...name]
  if (runes.length < 2) return name
  if (runes.length === 2) return `${runes[0]}*`
  return `${runes[0]}${'*'.repeat(runes.length - 2)}${runes.at(-1)}`
}

export function maskedNumber(number: string): string {
  return `${number[0]}${'*'.repeat(number.length - 2)}${number.at(-1)}`
}
