import { createRouter, createWebHashHistory } from 'vue-router'
import Scanner from './pages/Scanner.vue'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'scan', component: Scanner },
    { path: '/records', name: 'records', component: () => import('./pages/Records.vue') },
    { path: '/records/:id', name: 'record', component: () => import('./pages/Record.vue'), props: true },
    { path: '/settings', name: 'settings', component: () => import('./pages/Settings.vue') },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})
