import { onBeforeUnmount, onMounted, ref, shallowRef, watch, type Ref } from 'vue'
import { CameraError, listCameras, openCamera, problemOf, type Camera, type CameraChoice, type CameraProblem } from './camera.ts'
import DecoderWorkerClass from './decoder.worker.ts?worker'
import { watchFrames } from './frames.ts'
import { Reader, type DecoderWorker } from './reader.ts'
import { RepeatGuard } from './repeat.ts'

/** After so long without a find the page says what to do. */
const STUCK_AFTER_MS = 5000
/** Mean brightness below which a lamp helps. */
const DARK = 48

export interface ScannerOptions {
  video: Ref<HTMLVideoElement | null>
  /** Looking for codes; the picture stays open while this is false. */
  looking: Ref<boolean>
  /** The lamp as the person left it; applied wherever the camera has one. */
  torch: Ref<boolean>
  /** The camera as the person left it; '' for the one that looks away from them. */
  cameraId: Ref<string>
  onFound: (text: string) => void
}

export type Hint =
  | 'none'
  | 'stuck' // nothing found for a while
  | 'dark' // the same, and the picture is dark
  | 'again' // the code in sight is the one just read

export interface Scanner {
  /** No picture yet or no decoder yet, and no problem either. */
  starting: Ref<boolean>
  /** The picture is moving. */
  live: Ref<boolean>
  problem: Ref<CameraProblem | null>
  hint: Ref<Hint>
  hasTorch: Ref<boolean>
  mirrored: Ref<boolean>
  cameras: Ref<CameraChoice[]>
  switchCamera: () => void
  restart: () => Promise<void>
  /** Lets the code in sight be found once more. */
  forget: () => void
}

/**
 * A camera that reads codes, tied to the component that calls this. The camera is let go while the
 * page is hidden, and taken again when it comes back.
 */
export function useScanner(options: ScannerOptions): Scanner {
  const starting = ref(true)
  const live = ref(false)
  const problem = ref<CameraProblem | null>(null)
  const hint = ref<Hint>('none')
  const hasTorch = ref(false)
  const mirrored = ref(false)
  const cameras = shallowRef<CameraChoice[]>([])
  const guard = new RepeatGuard()

  let reader: Reader | null = null
  let camera: Camera | null = null
  let stopFrames: (() => void) | null = null
  let lastFind = 0
  // Opening takes a while; what was asked for meanwhile makes an earlier opening void.
  let turn = 0
  let mounted = false

  function close(): void {
    turn++
    stopFrames?.()
    stopFrames = null
    camera?.stop()
    camera = null
    if (options.video.value !== null) options.video.value.srcObject = null
    hasTorch.value = false
    live.value = false
    hint.value = 'none'
  }

  async function restart(): Promise<void> {
    close()
    const mine = turn
    starting.value = true
    problem.value = null
    try {
      const opened = await openCamera(options.cameraId.value)
      if (mine !== turn || options.video.value === null) {
        opened.stop()
        return
      }
      camera = opened
      opened.onLost(() => {
        if (camera !== opened) return
        close()
        problem.value = 'lost'
      })
      await opened.showOn(options.video.value)
      if (mine !== turn) return
      hasTorch.value = opened.hasTorch
      mirrored.value = opened.facesUser
      void opened.focusContinuously()
      if (options.torch.value) void opened.setTorch(true)
      live.value = true
      startLooking()
      cameras.value = await listCameras() // labels are there only once access was granted
    } catch (error) {
      if (mine !== turn) return
      close()
      starting.value = false
      problem.value = error instanceof CameraError ? error.problem : problemOf(error)
    }
  }

  function startLooking(): void {
    stopFrames?.()
    stopFrames = null
    hint.value = 'none'
    const video = options.video.value
    if (camera === null || video === null || !options.looking.value) return
    lastFind = performance.now()
    guard.resume(lastFind)
    reader ??= new Reader(() => new DecoderWorkerClass() as DecoderWorker)
    stopFrames = watchFrames(video, lookOnce)
  }

  async function lookOnce(): Promise<void> {
    const video = options.video.value
    if (video === null || reader === null) return
    const seen = await reader.look(video)
    if (seen === null || !options.looking.value || camera === null) return
    const now = performance.now()
    if (starting.value) {
      starting.value = false
      lastFind = now
    }
    if (seen.text !== null) {
      lastFind = now
      if (guard.accept(seen.text, now)) {
        hint.value = 'none'
        options.onFound(seen.text)
      } else {
        hint.value = 'again'
      }
      return
    }
    if (now - lastFind > STUCK_AFTER_MS) hint.value = seen.brightness < DARK ? 'dark' : 'stuck'
    else if (hint.value === 'again' && now - lastFind > 800) hint.value = 'none'
  }

  function switchCamera(): void {
    const all = cameras.value
    if (all.length < 2) return
    const at = all.findIndex((one) => one.id === camera?.deviceId)
    const next = all[(at + 1) % all.length]
    if (next === undefined) return
    options.cameraId.value = next.id // the watcher below opens it
  }

  const onVisibility = (): void => {
    if (document.visibilityState === 'hidden') {
      close()
      starting.value = true
    } else {
      void restart()
    }
  }

  watch(options.looking, startLooking)
  watch(options.cameraId, () => {
    if (mounted) void restart()
  })
  watch(options.torch, async (on) => {
    if (camera === null || !hasTorch.value) return
    const done = await camera.setTorch(on)
    if (!done && on) hasTorch.value = false
  })

  onMounted(() => {
    mounted = true
    document.addEventListener('visibilitychange', onVisibility)
    void restart()
  })
  onBeforeUnmount(() => {
    mounted = false
    document.removeEventListener('visibilitychange', onVisibility)
    close()
    reader?.close()
    reader = null
  })

  return { starting, live, problem, hint, hasTorch, mirrored, cameras, switchCamera, restart, forget: () => guard.clear() }
}
