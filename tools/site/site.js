// The theme, the search, and Mermaid's pictures. Without JavaScript the pages are there, and follow the system's theme.
'use strict';
const script = document.currentScript;
const page = document.documentElement;
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (page.dataset.theme ? page.dataset.theme === 'dark' : systemIsDark.matches);

const load = (address) => new Promise((done, failed) => {
  document.head.append(Object.assign(document.createElement('script'), {src: address, onload: done, onerror: failed}));
});

// Mermaid replaces its text by a picture, so the text is kept for the other theme.
const pictures = [...document.querySelectorAll('pre.mermaid')].map((place) => ({place, text: place.textContent}));
const own = {useMaxWidth: false};  // their own size, so that a phone scrolls rather than shrinks them
async function draw() {
  if (!pictures.length) return;
  if (!window.mermaid) await load(`${script.dataset.root}/mermaid.min.js`);
  mermaid.initialize({startOnLoad: false, theme: isDark() ? 'dark' : 'default', flowchart: own, sequence: own});
  for (const [i, {place, text}] of pictures.entries()) place.innerHTML = (await mermaid.render(`picture${i}`, text)).svg;
}

page.dataset.theme = localStorage.getItem('theme') ?? '';
document.getElementById('theme').onclick = () => {
  page.dataset.theme = isDark() ? 'light' : 'dark';
  localStorage.setItem('theme', page.dataset.theme);
  draw();
};
systemIsDark.onchange = draw;
draw();

// The page that is open is in sight in the list of pages.
const list = document.getElementById('pages');
const here = list.querySelector('[aria-current]');
if (here) list.scrollTop = here.offsetTop - list.clientHeight / 2;

// A section is [page, title, anchor, heading, words]. All words of the query are in what is found: as they are, since
// Chinese is written without spaces. Those that have them in the heading come first.
const query = document.getElementById('query');
const found = document.getElementById('found');
function excerpt(text, word) {
  const at = Math.max(0, text.toLowerCase().indexOf(word) - 30);
  return (at ? '…' : '') + text.slice(at, at + 90).trim() + '…';
}
function search() {
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length || !window.SECTIONS) return found.replaceChildren();
  const hits = SECTIONS.map(([out, title, anchor, heading, text]) => {
    const head = heading.toLowerCase();
    const all = `${title}\n${head}\n${text}`.toLowerCase();
    const weight = words.every((word) => head.includes(word)) ? 2 : words.every((word) => all.includes(word)) ? 1 : 0;
    return {weight, out, title, anchor, heading, text};
  }).filter((hit) => hit.weight).sort((one, two) => two.weight - one.weight).slice(0, 30);
  found.replaceChildren(...hits.map(({out, title, anchor, heading, text}) => {
    const link = Object.assign(document.createElement('a'), {href: `${script.dataset.root}/${out}#${anchor}`});
    link.append(Object.assign(document.createElement('b'), {textContent: heading === title ? title : `${title} › ${heading}`}));
    link.append(Object.assign(document.createElement('span'), {textContent: excerpt(text, words[0])}));
    link.onclick = () => found.replaceChildren();
    return link;
  }));
  if (!hits.length) found.textContent = script.dataset.nothing;
}
query.onfocus = async () => {
  if (!window.SECTIONS) await load(script.dataset.index);
  search();
};
query.oninput = search;
document.addEventListener('keydown', (event) => {
  const isTyping = event.target === query;
  if (event.key === '/' && !isTyping) { event.preventDefault(); query.focus(); }
  if (event.key === 'Escape') { query.value = ''; found.replaceChildren(); }
  if (event.key === 'Enter' && isTyping) found.querySelector('a')?.click();
});
document.addEventListener('click', (event) => { if (!event.target.closest('search')) found.replaceChildren(); });
