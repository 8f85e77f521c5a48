import { startApp } from '@/shared/app.ts'
import Home from './Home.vue'
import { en } from './text/en.ts'
import { zh } from './text/zh-CN.ts'

startApp({
  session: null,
  root: Home,
  text: { zh, en },
  title: (t) => t('home.name'),
})
