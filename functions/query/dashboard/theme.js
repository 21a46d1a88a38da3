// Light or dark: as the system has it, until the viewer chooses.

import { h } from './dom.js'

const STORED = 'theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const current = () => localStorage.getItem(STORED) ?? (dark.matches ? 'dark' : 'light')

function apply() {
  document.documentElement.dataset.theme = current()
  const button = document.getElementById('theme')
  if (button) button.textContent = label()
}

export function themeButton() {
  const toggle = () => {
    localStorage.setItem(STORED, current() === 'dark' ? 'light' : 'dark')
    apply()
  }
  return h('button', { type: 'button', id: 'theme', class: 'quiet', onclick: toggle }, label())
}

const label = () => (current() === 'dark' ? 'Light' : 'Dark')

dark.addEventListener('change', apply)
apply()
