'use strict';
// Plays recordings: draws, for a step, what the recorder has written down about it. Nothing here is a model of the
// kernel; states and counts are those that it showed.

const recordings = JSON.parse(document.getElementById('recordings').textContent);
const $ = (id) => document.getElementById(id);
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'}[c]));

// ---- a recording -----------------------------------------------------------------------------------

class Recording {
  constructor(data) {
    Object.assign(this, data);
    this.main = this.processes.find((one) => !one.client);
    let children = 0;
    let others = 0;
    let colors = 0;
    for (const one of this.processes) {
      one.isMain = one === this.main;
      one.index = one.isMain || one.thread ? 0 : one.client ? ++others : ++children;
      one.color = `var(--p${colors++ % 6})`;
    }
    const counts = {};  // the main file: the one in which most calls begin, seen from outside
    for (const step of this.steps) {
      const outermost = (step.at || []).at(-1);
      if (outermost) counts[outermost[0]] = (counts[outermost[0]] || 0) + 1;
    }
    this.file = Number(Object.keys(counts).sort((a, b) => counts[b] - counts[a])[0] ?? -1);
    this.states = this.steps.map((step) => this.stateOf(step.seen));
    this.keys = this.steps.map((step, i) => this.isKey(i));
  }
  stateOf(seen) {
    const processes = new Map();
    for (const index of seen.processes) processes.set(this.pool[index].number, this.pool[index]);
    return {processes, sockets: this.pool[seen.sockets], clients: seen.clients.map((index) => this.pool[index]), output: seen.output};
  }
  process(number) { return this.processes.find((one) => one.number === number); }
  zombies(i) { return [...this.states[i].processes.values()].filter((one) => one.state === 'zombie').length; }
  /// The state before a step: the signals that were pending, the references to a socket.
  before(i) { return this.states[Math.max(i - 1, 0)]; }
  parentPending(i, state) {
    const parent = this.process(this.steps[i].who)?.parent;
    return Boolean(parent !== null && state.processes.get(parent)?.pending);
  }
  isKey(i) {
    const step = this.steps[i];
    if (['fork', 'signal', 'handler returns', 'exit'].includes(step.kind)) return true;
    if (step.kind === 'connect') return this.waiting(i) > 0;
    if (step.name === 'waitpid' && step.kind === 'call') return true;
    const socket = this.before(i).sockets[step.socket];
    return step.name === 'close' && Boolean(socket) && socket.kind === 'connection';
  }
  waiting(i) {
    return Object.values(this.states[i].sockets).reduce((sum, one) => sum + (one.queued || 0), 0);
  }
  /// The innermost place in the main file: [file, line] or nothing.
  line(at) { return (at || []).find(([file]) => file === this.file)?.[1]; }
}

// ---- words -----------------------------------------------------------------------------------------

let language = 'en';
const say = (en, zh) => (language === 'zh' ? zh : en);

function name(recording, number) {
  const one = recording.process(number);
  if (!one) return '?';
  if (one.thread) return say(`thread ${one.pid}`, `线程 ${one.pid}`);
  if (one.client) return say(`client process ${one.index}`, `客户端进程 ${one.index}`);
  if (one.isMain) return recording.processes.length > 1 ? say('the parent', '父进程') : say('the server', '服务器');
  return say(`child ${one.index}`, `子进程 ${one.index}`);
}
const upper = (text) => text[0].toUpperCase() + text.slice(1);
const bytes = (n) => say(`${n} byte${n === 1 ? '' : 's'}`, `${n} 字节`);
const clientName = (peer) => say(peer.replace('client', 'client'), peer.replace('client', '客户端'));
const ended = (step) => 'killed' in step ? say(`was killed by signal ${step.killed}`, `被信号 ${step.killed} 终止`)
                                         : say(`exited with ${step.status}`, `以状态 ${step.status} 退出`);

function socketName(socket) {
  if (!socket) return say('the descriptor', '描述符');
  if (socket.kind === 'listening') return say('the listening socket', '监听套接字');
  if (socket.state === 'CLOSE') return say('the socket', '套接字');
  return say(`the connection with ${clientName(socket.peer)}`, `与${clientName(socket.peer)}的连接`);
}

function sayClose(recording, i, who) {
  const step = recording.steps[i];
  const before = recording.before(i).sockets[step.socket];
  const now = recording.states[i].sockets[step.socket];
  const what = socketName(before);
  if (!before) return say(`${who} closes descriptor ${step.fd}.`, `${who}关闭描述符 ${step.fd}。`);
  const count = now ? now.references : 0;
  const change = `${before.references} → ${count}`;
  if (count > 0 && before.kind === 'connection') {
    return say(`${who} closes its descriptor of ${what}. The reference count goes ${change}: the connection stays open.`,
               `${who}关闭它的描述符（${what}）。引用计数 ${change}：连接仍然打开。`);
  }
  if (count > 0) {
    return say(`${who} closes its descriptor of ${what}, for which it has no use. The reference count goes ${change}.`,
               `${who}关闭它用不着的描述符（${what}）。引用计数 ${change}。`);
  }
  if (before.kind === 'connection' && before.peer.startsWith('client')) {
    return say(`${who} closes the last descriptor of ${what}: ${change}. Now the kernel ends the connection, and the client sees its end.`,
               `${who}关闭${what}的最后一个描述符：${change}。内核这才结束连接，客户端看到连接结束。`);
  }
  return say(`${who} closes the last descriptor of ${what}: ${change}.`, `${who}关闭${what}的最后一个描述符：${change}。`);
}

function sayWait(recording, i, who) {
  const step = recording.steps[i];
  const left = recording.zombies(i);
  if (step.error === 'ECHILD') return say(`waitpid fails with ECHILD: no child is left.`, `waitpid 失败，错误为 ECHILD：没有子进程了。`);
  if (step.error) return say(`waitpid fails with ${step.error}.`, `waitpid 失败，错误为 ${step.error}。`);
  if (step.result === 0) return say('waitpid returns 0: the children that are left have not exited.', 'waitpid 返回 0：剩下的子进程都还没有退出。');
  const child = recording.processes.find((one) => one.pid === step.result);
  const which = child ? name(recording, child.number) : step.result;
  const rest = left === 0 ? say('no zombie is left', '不再有僵尸进程') : left === 1 ? say('one zombie is left', '还剩 1 个僵尸进程') : say(`${left} zombies are left`, `还剩 ${left} 个僵尸进程`);
  return say(`${who} reaps ${which}: the kernel forgets it; ${rest}.`, `${who}回收${which}：内核不再保留它；${rest}。`);
}

function sayExit(recording, i, who) {
  const step = recording.steps[i];
  const one = recording.process(step.who);
  if (one.isMain) {
    return say(`The server ${ended(step)}. Nobody listens any more.`, `服务器${ended(step)}。不再有谁监听。`);
  }
  if (one.client || recording.states[i].processes.get(step.who)?.state !== 'zombie') return say(`${who} ${ended(step)}.`, `${who}${ended(step)}。`);
  const zombie = say(`${who} ${ended(step)}: it is a zombie until its parent waits for it.`, `${who}${ended(step)}：在父进程等待它之前，它是僵尸进程。`);
  const parent = recording.states[i].processes.get(one.parent);
  if (recording.parentPending(i, recording.before(i))) {
    return zombie + say(' The kernel would send SIGCHLD, but one is pending already: signals do not queue, nothing is added.', '内核本要发送 SIGCHLD，但已有一个待处理：信号不排队，什么也没有增加。');
  }
  if (recording.parentPending(i, recording.states[i])) {
    return zombie + say(' SIGCHLD is pending for the parent, which has not run since.', 'SIGCHLD 待父进程处理，父进程还没有再运行。');
  }
  if (parent?.sigchld === 'default') return zombie + say(' The parent has no handler for SIGCHLD, and does not notice.', '父进程没有设置 SIGCHLD 处理函数，毫无察觉。');
  return zombie;
}

const CALLS = {
  socket: (r, i, who) => say(`${who} makes a socket: descriptor ${r.steps[i].result}.`, `${who}创建套接字：描述符 ${r.steps[i].result}。`),
  setsockopt: (r, i, who) => say(`${who} sets an option of the socket.`, `${who}设置套接字选项。`),
  bind: (r, i, who) => say(`${who} gives the socket its address.`, `${who}为套接字绑定地址。`),
  listen: (r, i, who) => say(`${who} makes the socket listen: from now on the kernel accepts connections into its queue.`, `${who}让套接字开始监听：从现在起，内核把连接接入它的队列。`),
  sigaction: (r, i, who) => say(`${who} installs its handler for SIGCHLD.`, `${who}设置 SIGCHLD 的处理函数。`),
  close: sayClose,
  waitpid: sayWait,
  waitid: sayWait,
  clock_nanosleep: (r, i, who) => say(`${who} has slept long enough.`, `${who}睡够了。`),
  nanosleep: (r, i, who) => say(`${who} has slept long enough.`, `${who}睡够了。`),
  accept(r, i, who) {
    const step = r.steps[i];
    if (step.error) return say(`accept fails with ${step.error}.`, `accept 失败，错误为 ${step.error}。`);
    const peer = r.states[i].processes.get(step.who)?.descriptors?.find((one) => one.number === step.result);
    const what = socketName(r.states[i].sockets[peer?.socket]);
    return say(`accept returns a new descriptor to ${who.toLowerCase()}: ${step.result}, ${what}.`, `accept 给${who}返回新的描述符 ${step.result}：${what}。`);
  },
  recv(r, i, who) {
    const step = r.steps[i];
    if (step.error) return say(`recv fails with ${step.error}.`, `recv 失败，错误为 ${step.error}。`);
    if (step.result === 0) return say(`${who} learns that its client has closed.`, `${who}得知客户端已关闭连接。`);
    return say(`${who} receives the request: ${bytes(step.result)}.`, `${who}收到请求：${bytes(step.result)}。`);
  },
  write(r, i, who) {
    const step = r.steps[i];
    if (step.error) return say(`write fails with ${step.error}.`, `write 失败，错误为 ${step.error}。`);
    if (!step.socket) return say(`${who} prints a line.`, `${who}打印一行。`);
    return r.process(step.who)?.client ? say(`${who} sends ${bytes(step.result)}.`, `${who}发送 ${bytes(step.result)}。`)
                                       : say(`${who} sends the response: ${bytes(step.result)}.`, `${who}发送响应：${bytes(step.result)}。`);
  },
};
CALLS.accept4 = CALLS.accept;
CALLS.read = CALLS.recvmsg = CALLS.recv;
CALLS.send = CALLS.sendmsg = CALLS.write;

function sayBlocks(recording, i, who) {
  const step = recording.steps[i];
  const waiting = recording.waiting(i);
  const queue = waiting === 0 ? '' : say(` ${waiting} client${waiting === 1 ? ' waits' : 's wait'} in the accept queue.`, `accept 队列里有 ${waiting} 个客户端在等。`);
  if (/accept/.test(step.name)) return say(`${who} waits in accept for the next client.`, `${who}在 accept 里等下一个客户端。`);
  if (/recv|^read/.test(step.name)) return say(`${who} waits in recv until its client sends something.`, `${who}在 recv 里等客户端发来数据。`) + queue;
  if (/sleep/.test(step.name)) return say(`${who} sleeps, and its connection stays open.`, `${who}在睡眠，连接保持打开。`) + queue;
  return say(`${who} waits in ${step.name}.`, `${who}在 ${step.name} 里等待。`) + queue;
}

/// The sentence about a step. Chinese has a blank between a number and a word.
function sentence(recording, i) {
  const text = sayStep(recording, i);
  return language === 'zh' ? text.replace(/([0-9A-Za-z])(?=[\u4e00-\u9fff])/g, '$1 ').replace(/([\u4e00-\u9fff])(?=[0-9A-Za-z])/g, '$1 ') : text;
}

function sayStep(recording, i) {
  const step = recording.steps[i];
  const who = 'who' in step ? upper(name(recording, step.who)) : say(`Client ${step.client + 1}`, `客户端 ${step.client + 1}`);
  const child = 'child' in step ? name(recording, step.child) : '';
  const busy = recording.waiting(i) > 0;
  const zombies = recording.zombies(i);
  switch (step.kind) {
    case 'start': return say(`${who} has been started.`, `${who}已启动。`);
    case 'exec': return say(`${who} executes another program.`, `${who}执行另一个程序。`);
    case 'thread': return say(`${who} starts a thread.`, `${who}启动一个线程。`);
    case 'fork': return say(`${who} forks: ${child} gets a copy of every descriptor, and the reference count of each socket rises.`, `${who}调用 fork：${child}得到每个描述符的副本，各套接字的引用计数随之增加。`);
    case 'exit': return sayExit(recording, i, who);
    case 'blocks': return sayBlocks(recording, i, who);
    case 'connect': return busy
      ? say(`${who} connects. Nobody is in accept: the kernel completes the connection and keeps it in the accept queue.`, `${who}连接。没有进程在 accept 里：内核建立连接，把它留在 accept 队列里。`)
      : say(`${who} connects. The kernel completes the connection, and accept can return.`, `${who}连接。内核建立连接，accept 可以返回了。`);
    case 'ask': return say(`${who} sends its request.`, `${who}发送请求。`);
    case 'hangup': return say(`${who} gives up and closes its end.`, `${who}放弃等待，关闭自己这一端。`);
    case 'signal':
      return say(`${step.name} is delivered: the kernel runs the handler of ${who.toLowerCase()}`, `${step.name} 送达：内核运行${who}的处理函数`) +
        (step.interrupted ? say(`, in the middle of ${step.interrupted}.`, `，正在 ${step.interrupted} 之中。`) : say('.', '。')) +
        (zombies > 1 ? say(` One signal stands for ${zombies} children.`, `一个信号代表 ${zombies} 个子进程。`) : '');
    case 'handler returns': {
      const call = step.interrupted || say('the call', '该调用');
      return step.error ? say(`The handler returns, and ${call} fails with EINTR: it was interrupted.`, `处理函数返回，${call} 因被中断而失败，错误为 EINTR。`)
                        : say('The handler returns, and the program goes on where it was.', '处理函数返回，程序从原处继续。');
    }
    default: {
      const words = CALLS[step.name];
      const result = step.error ? `-1 ${step.error}` : step.result;
      return words ? words(recording, i, who) : say(`${who} calls ${step.name}, which returns ${result}.`, `${who}调用 ${step.name}，返回 ${result}。`);
    }
  }
}

function callOf(step) {
  if (step.kind === 'handler returns' && step.error) return `${step.interrupted}() = -1 ${step.error}`;
  if (!step.call) return '';
  if (step.kind === 'blocks') return step.call + ' …';
  return `${step.call} = ${step.error ? `-1 ${step.error}` : step.result}`;
}

function stateWords(one) {
  const call = one.call || say('a call', '某个调用');
  switch (one.state) {
    case 'zombie': return say('zombie, ', '僵尸进程，') + ended(one);
    case 'blocked': return say(`blocked in ${call}`, `阻塞于 ${call}`);
    case 'stopped': return say('stopped', '已停止');
    case 'gone': return say('gone', '已不存在');
    default: return say('can run', '可运行');
  }
}
function clientWords(one) {
  const words = {connected: ['connected', '已连接'], asked: ['has sent its request', '已发送请求'], answered: ['has the page, waits for the end', '已收到页面，在等连接结束'],
                 ended: ['has seen the end', '已看到连接结束'], reset: ['was reset', '连接被重置'], gone: ['has closed', '已关闭']};
  return say(...words[one.state]);
}

// ---- the question before a key moment ---------------------------------------------------------------

/// {text, answers: [right, wrong…]} or nothing.
function questionAt(recording, i) {
  const step = recording.steps[i];
  if (!recording.keys[i]) return null;
  const who = 'who' in step ? name(recording, step.who) : '';
  if (step.kind === 'exit' && recording.parentPending(i, recording.before(i))) {
    return {text: say(`${upper(who)} exits too, and SIGCHLD is pending already. How many will be pending?`, `${who}也退出了，而 SIGCHLD 已有一个待处理。之后会有几个待处理？`),
            answers: [say('One: signals do not queue.', '一个：信号不排队。'), say('Two: one for each child.', '两个：每个子进程一个。')]};
  }
  if (step.kind === 'exit' && recording.states[i].processes.get(step.who)?.state === 'zombie') {
    return {text: say(`${upper(who)} exits. What becomes of it?`, `${who}退出。它会怎样？`),
            answers: [say('A zombie, until its parent waits for it.', '成为僵尸进程，直到父进程等待它。'), say('It is gone at once.', '马上消失。')]};
  }
  if (step.kind === 'handler returns') {
    const fails = say('It fails with EINTR.', '它失败，错误为 EINTR。');
    const goesOn = say('It goes on as if nothing had happened.', '它继续，就像什么也没发生。');
    return {text: say(`The handler returns. What does ${step.interrupted || 'the call'} do?`, `处理函数返回。${step.interrupted || '该调用'}会怎样？`),
            answers: step.error ? [fails, goesOn] : [goesOn, fails]};
  }
  if (step.name === 'waitpid' && step.result > 0) {
    const left = recording.zombies(i);
    const words = (n) => say(`${n} zombie${n === 1 ? '' : 's'}`, `${n} 个僵尸进程`);
    return {text: say('waitpid returns. What is left?', 'waitpid 返回。还剩什么？'), answers: [words(left), words(left === 0 ? 1 : 0), words(left + 1 === 1 ? 2 : left + 1)]};
  }
  if (step.name === 'close') {
    const left = recording.states[i].sockets[step.socket]?.references || 0;
    const open = say('No: another descriptor refers to it.', '没有：还有描述符指向它。');
    const over = say('Yes: this was the last descriptor.', '是的：这是最后一个描述符。');
    return {text: say(`${upper(who)} closes descriptor ${step.fd}. Is the connection over?`, `${who}关闭描述符 ${step.fd}。连接结束了吗？`), answers: left > 0 ? [open, over] : [over, open]};
  }
  if (step.kind === 'connect') {
    return {text: say('A client connects, and nobody is in accept. What happens?', '一个客户端连接，没有进程在 accept 里。会怎样？'),
            answers: [say('The kernel connects it; it waits in the accept queue.', '内核建立连接，它在 accept 队列里等待。'), say('It is refused.', '连接被拒绝。')]};
  }
  if (step.kind === 'fork') {
    return {text: say(`${upper(who)} calls fork. What becomes of the reference count of its connection?`, `${who}调用 fork。连接的引用计数会怎样？`),
            answers: [say('It rises: the child has a descriptor, too.', '增加：子进程也有一个描述符。'), say('It stays: the child shares the parent’s table.', '不变：子进程共用父进程的表。')]};
  }
  return null;
}

// ---- the kernel's picture -----------------------------------------------------------------------------

/// An SVG drawing of a state, `width` pixels wide: text is as large as the page's at every width.
function drawKernel(recording, i, width) {
  const state = recording.states[i];
  const isNarrow = width < 560;
  const columns = isNarrow ? {process: [0, width * .54], socket: [width * .62, width * .38], client: [0, width]}
                           : {process: [0, width * .4], socket: [width * .48, width * .27], client: [width * .8, width * .2]};
  const parts = [];
  const lines = [];
  const text = (x, y, words, kind = '', anchor = 'start') => parts.push(`<text x="${x}" y="${y}" class="${kind}" text-anchor="${anchor}">${escape(words)}</text>`);
  const fit = (words, room, size = 6.7) => (words.length * size > room ? words.slice(0, Math.max(1, Math.floor(room / size) - 1)) + '…' : words);
  const box = (x, y, w, h, color, extra = '') => parts.push(`<rect x="${x + 1}" y="${y}" width="${w - 2}" height="${h}" rx="6" fill="none" stroke="${color}" ${extra}/>`);
  const y = 16;
  text(columns.process[0] + 2, y, say('processes', '进程'), 'q');
  text(columns.socket[0] + 2, y, isNarrow ? say('sockets', '套接字') : say('sockets in the kernel', '内核里的套接字'), 'q');
  if (!isNarrow) text(columns.client[0] + 2, y, say('clients', '客户端'), 'q');
  // sockets first: processes point to them
  const places = {};
  const [sx, sw] = columns.socket;
  let sy = 26;
  for (const [id, socket] of Object.entries(state.sockets)) {
    const isListening = socket.kind === 'listening';
    const queue = isListening ? socket.queue : [];
    const reset = isListening ? socket.queued - queue.length : 0;
    const rows = (isListening ? 1 + queue.length + (reset > 0 ? 1 : 0) : socket.unread > 0 ? 1 : 0);
    const height = 44 + 17 * rows;
    box(sx, sy, sw, height, 'var(--text)');
    const room = sw - 44;
    text(sx + 9, sy + 18, fit(isListening ? isNarrow ? `:${socket.port}` : say(`listening :${socket.port}`, `监听 :${socket.port}`) : socket.state === 'CLOSE' ? say('socket', '套接字') : clientName(socket.peer), room), 'b');
    text(sx + 9, sy + 35, fit(isListening ? say('references', '引用计数') : socket.state, room), 'q');
    parts.push(`<circle cx="${sx + sw - 20}" cy="${sy + 22}" r="14" fill="none" stroke="var(--text)"/>`);
    text(sx + sw - 20, sy + 27, String(socket.references), 'b', 'middle');
    let line = sy + 52;
    if (isListening) {
      text(sx + 9, line, fit(isNarrow ? say(`queue ${socket.queued} of ${socket.backlog}`, `队列 ${socket.queued} / ${socket.backlog}`) : say(`accept queue ${socket.queued} of ${socket.backlog}`, `accept 队列 ${socket.queued} / ${socket.backlog}`), sw - 12), socket.queued > 0 ? 'a' : 'q');
      for (const peer of queue) text(sx + 16, (line += 17), fit(say(`${clientName(peer)} waits`, `${clientName(peer)}在等`), sw - 20), 'a');
      if (reset > 0) text(sx + 16, line + 17, fit(say(`${reset} reset`, `${reset} 个已重置`), sw - 20), 'a');
    } else if (socket.unread > 0) text(sx + 9, line, fit(say(`${bytes(socket.unread)} unread`, `${bytes(socket.unread)}未读`), sw - 12), 'a');
    places[id] = {y: sy + 22, bottom: sy + height, socket};
    sy += height + 10;
  }
  // processes
  const [px, pw] = columns.process;
  let py = 26;
  for (const one of state.processes.values()) {
    const known = recording.process(one.number);
    if (one.state === 'gone' || known.client && one.state === 'zombie') continue;
    const acts = recording.steps[i].who === one.number;
    const rows = (one.descriptors || []).filter((descriptor) => descriptor.socket);
    const signal = one.sigchld === 'handled' && known.isMain;
    const height = one.state === 'zombie' ? 44 : 46 + 19 * rows.length + (signal ? 20 : 0);
    const color = one.state === 'zombie' ? 'var(--zombie)' : known.color;
    box(px, py, pw, height, color, `stroke-width="${acts ? 3.5 : 1.5}" ${one.state === 'zombie' ? 'stroke-dasharray="5 4"' : ''}`);
    parts.push(`<text x="${px + 10}" y="${py + 18}" class="b" style="fill:${color}">${escape(fit(`${name(recording, one.number)} ${known.pid}`, pw - 16, 7))}</text>`);
    text(px + 10, py + 35, fit(stateWords(one), pw - 16), one.state === 'zombie' ? 'a' : 'q');
    let line = py + 40;
    for (const descriptor of rows) {
      line += 17;
      const socket = state.sockets[descriptor.socket];
      const what = socket.kind === 'listening' ? say('listening socket', '监听套接字') : socket.state === 'CLOSE' ? say('socket', '套接字') : say('connection', '连接');
      text(px + 14, line, fit(`${descriptor.number}  ${what}`, pw - 20), 'm');
      const to = places[descriptor.socket];
      lines.push(`<path d="M${px + pw - 2} ${line - 4} C${(px + pw + sx) / 2} ${line - 4} ${(px + pw + sx) / 2} ${to.y} ${sx + 1} ${to.y}" fill="none" stroke="${known.color}" stroke-width="1.8"/>`);
      line += 2;
    }
    if (signal) text(px + 14, line + 18, fit(say(`SIGCHLD pending: ${one.pending ? 1 : 0}`, `待处理的 SIGCHLD：${one.pending ? 1 : 0}`), pw - 20), one.pending ? 'a' : 'q');
    py += height + 9;
  }
  // clients
  const [cx, cw] = columns.client;
  let cy = isNarrow ? Math.max(py, sy) + 18 : 26;
  if (isNarrow && state.clients.length) text(2, cy - 5, say('clients', '客户端'), 'q');
  state.clients.forEach((one, index) => {
    const label = say(`client ${index + 1}`, `客户端 ${index + 1}`);
    const words = isNarrow ? [clientWords(one)] : wrap(clientWords(one), cw - 14);
    const height = isNarrow ? 26 : 27 + 16 * words.length;
    box(cx, cy, cw, height, 'var(--quiet)');
    text(cx + 9, cy + 18, label, 'b');
    if (isNarrow) text(cx + 80, cy + 18, words[0], 'q');
    else words.forEach((word, row) => text(cx + 9, cy + 36 + 16 * row, word, 'q'));
    for (const place of Object.values(places)) {
      if (isNarrow || place.socket.peer !== `client ${index + 1}`) continue;
      lines.push(`<path d="M${sx + sw - 1} ${place.y} L${cx + 1} ${cy + 16}" stroke="var(--quiet)" stroke-dasharray="4 4" fill="none"/>`);
    }
    cy += height + 8;
  });
  const height = Math.max(py, sy, cy) + 4;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" height="${height}" aria-hidden="true">${lines.join('')}${parts.join('')}</svg>`;
}

/// Words on lines of at most `room` pixels.
function wrap(words, room) {
  const size = language === 'zh' ? 13 : 6.8;
  const all = language === 'zh' ? [...words] : words.split(/(?<= )/);
  const lines = [''];
  for (const one of all) {
    if ((lines.at(-1) + one).length * size > room && lines.at(-1)) lines.push('');
    lines[lines.length - 1] += one;
  }
  return lines;
}

/// The same for those who do not see the drawing.
function describe(recording, i) {
  const state = recording.states[i];
  const lines = [];
  for (const one of state.processes.values()) {
    if (one.state === 'gone') continue;
    const fds = (one.descriptors || []).filter((descriptor) => descriptor.socket).map((descriptor) => `${descriptor.number}: ${socketName(state.sockets[descriptor.socket])}`);
    const pending = one.pending ? say(', SIGCHLD pending: 1', '，待处理的 SIGCHLD：1') : '';
    lines.push(`${name(recording, one.number)}: ${stateWords(one)}${pending}${fds.length ? '; ' + fds.join(', ') : ''}`);
  }
  for (const socket of Object.values(state.sockets)) {
    const queue = socket.kind === 'listening' ? say(`, accept queue ${socket.queued} of ${socket.backlog}`, `，accept 队列 ${socket.queued} / ${socket.backlog}`) : '';
    lines.push(`${socketName(socket)}: ${say('references', '引用计数')} ${socket.references}${queue}`);
  }
  state.clients.forEach((one, index) => lines.push(`${say('client', '客户端')} ${index + 1}: ${clientWords(one)}`));
  return `<ul>${lines.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`;
}

// ---- the lanes ------------------------------------------------------------------------------------------

function drawLanes(recording, current, width) {
  const left = 92;
  const n = recording.steps.length;
  const w = Math.max((width - left - 6) / n, 7);
  const processes = recording.processes.filter((one) => !one.thread);
  const lanes = [...processes.map((one) => ({one})), ...recording.clients.map((_, client) => ({client}))];
  const rowOf = (step) => lanes.findIndex((lane) => ('who' in step ? lane.one?.number === step.who : lane.client === step.client));
  const rowOfProcess = (number) => lanes.findIndex((lane) => lane.one?.number === number);
  const parts = [`<rect x="${left + current * w}" y="0" width="${w}" height="${22 + lanes.length * 20}" fill="var(--mark)" stroke="var(--quiet)"/>`];
  const middle = (row) => 22 + row * 20 + 8;
  lanes.forEach((lane, row) => {
    const y = 22 + row * 20;
    const color = lane.one ? lane.one.color : 'var(--quiet)';
    const label = lane.one ? name(recording, lane.one.number) : say(`client ${lane.client + 1}`, `客户端 ${lane.client + 1}`);
    parts.push(`<text x="${left - 6}" y="${y + 13}" text-anchor="end" class="b" style="fill:${color}">${escape(label)}</text>`);
    recording.states.forEach((state, i) => {
      const one = lane.one ? state.processes.get(lane.one.number) : state.clients[lane.client];
      if (!one || one.state === 'gone' && lane.one) return;
      const acts = rowOf(recording.steps[i]) === row;
      const isQuiet = one.state === 'blocked' || !lane.one;
      const fill = one.state === 'zombie' ? 'var(--zombie)' : color;
      const opacity = acts ? 1 : one.state === 'zombie' ? .45 : isQuiet ? .25 : .55;
      parts.push(`<rect x="${left + i * w}" y="${y}" width="${w}" height="16" fill="${fill}" fill-opacity="${opacity}"/>`);
    });
  });
  const arrow = (i, from, to) => {
    if (from < 0 || to < 0 || from === to) return;
    const x = left + (i + .5) * w;
    const [a, b] = [middle(from), middle(to)];
    const tip = b > a ? -5 : 5;
    parts.push(`<path d="M${x} ${a} V${b} m-3 ${tip} l3 ${-tip} l3 ${tip}" fill="none" stroke="var(--text)"/>`);
  };
  recording.steps.forEach((step, i) => {
    if (recording.keys[i]) parts.push(`<circle cx="${left + (i + .5) * w}" cy="10" r="3.5" fill="var(--key)"/>`);
    if (step.kind === 'fork') arrow(i, rowOf(step), rowOfProcess(step.child));
    if (step.kind === 'exit') arrow(i, rowOf(step), rowOfProcess(recording.process(step.who).parent));
    if (step.kind === 'connect' || step.kind === 'hangup') arrow(i, rowOf(step), 0);
    if (step.name === 'waitpid' && step.result > 0) arrow(i, rowOf(step), lanes.findIndex((lane) => lane.one?.pid === step.result));
    if (step.socket && /write|send/.test(step.name || '')) {
      const peer = recording.states[i].sockets[step.socket]?.peer || '';
      if (peer.startsWith('client ')) arrow(i, rowOf(step), lanes.findIndex((lane) => lane.client === Number(peer.slice(7)) - 1));
    }
  });
  const total = left + n * w + 6;
  const height = 24 + lanes.length * 20;
  return {html: `<svg viewBox="0 0 ${total} ${height}" style="width:${total}px" height="${height}" aria-hidden="true">${parts.join('')}</svg>`, left, w};
}

// ---- a view: one recording on the page -------------------------------------------------------------------

const KEYWORDS = /\b(const|constexpr|int|void|if|else|while|for|return|struct|true|false|nullptr|continue|throw|auto|namespace|include|def|import|fn|let|func|go|class)\b/g;
function highlight(line) {
  const comment = line.search(/\/\/|(?<!\S)#(?!include)/);
  const code = comment < 0 ? line : line.slice(0, comment);
  const pieces = code.split(/("(?:[^"\\]|\\.)*")/);
  const html = pieces.map((piece, i) => (i % 2 ? `<span class="s">${escape(piece)}</span>` : escape(piece).replace(KEYWORDS, '<span class="k">$1</span>'))).join('');
  return html + (comment < 0 ? '' : `<span class="c">${escape(line.slice(comment))}</span>`);
}

class View {
  constructor(data) {
    this.recording = new Recording(data);
    this.element = document.createElement('section');
    this.element.className = 'view';
    this.element.innerHTML = '<div class="said" aria-live="polite"><p></p><code></code></div><div class="both"><div class="source" tabindex="0"></div>' +
      '<div class="kernel"><div class="drawing"></div><div class="sr"></div></div></div><pre class="out" tabindex="0"></pre><div class="lanes"></div>';
    const source = this.recording.sources[this.recording.file];
    this.part('.source').innerHTML = source ? source.text.replace(/\n$/, '').split('\n').map((line, i) => `<span class="l"><i>${i + 1}</i><b></b>${highlight(line)}</span>`).join('') : '';
    this.lines = [...this.part('.source').children];
    this.part('.lanes').addEventListener('click', (event) => {
      const x = event.clientX - this.part('.lanes svg').getBoundingClientRect().left;
      if (x > this.left) go(Math.floor((x - this.left) / this.w));
    });
  }
  part(selector) { return this.element.querySelector(selector); }
  draw(wanted) {
    const {recording} = this;
    const i = Math.min(wanted, recording.steps.length - 1);
    const step = recording.steps[i];
    this.part('.said').classList.toggle('key', recording.keys[i]);
    this.part('.said p').textContent = sentence(recording, i);
    const place = (step.at || [])[0];
    const where = place ? `   ${recording.sources[place[0]].name}:${place[1]}` : '';
    this.part('.said code').textContent = callOf(step) + where;
    this.drawSource(i);
    this.part('.drawing').innerHTML = drawKernel(recording, i, Math.max(this.part('.drawing').clientWidth, 280));
    this.part('.sr').innerHTML = describe(recording, i);
    this.part('.out').textContent = new TextDecoder().decode(new TextEncoder().encode(recording.output).slice(0, recording.states[i].output)).replace(/\n\n+/g, '\n') || say('(nothing printed yet)', '（还没有输出）');
    this.part('.out').scrollTop = 1e6;
    const lanes = drawLanes(recording, i, this.part('.lanes').clientWidth - 16);
    this.part('.lanes').innerHTML = lanes.html;
    Object.assign(this, {left: lanes.left, w: lanes.w});
  }
  drawSource(i) {
    const {recording} = this;
    const step = recording.steps[i];
    for (const line of this.lines) { line.className = 'l'; line.children[1].innerHTML = ''; }
    if (!this.lines.length) { this.part('.source').textContent = say('No debug information: compile with -g to see the lines.', '没有调试信息：用 -g 编译才能看到源代码行。'); return; }
    let shown = null;  // the line of the process that acts; of a client's step, the first that is marked
    for (const one of recording.states[i].processes.values()) {
      const acts = step.who === one.number;
      const line = this.lines[(recording.line(acts && step.at ? step.at : one.at) ?? 0) - 1];
      if (!line || one.state === 'gone' && !acts || recording.process(one.number).client) continue;
      const known = recording.process(one.number);
      line.children[1].innerHTML += `<b class="who" style="background:${known.color}" title="${escape(name(recording, one.number))}">${known.isMain ? 'P' : known.index}</b>`;
      if (acts) line.classList.add('now');
      if (acts || !shown) shown = line;
    }
    const source = this.part('.source');
    const isHidden = (line) => line.offsetTop < source.scrollTop + 20 || line.offsetTop > source.scrollTop + source.clientHeight - 40;
    if (shown && isHidden(shown)) source.scrollTop = shown.offsetTop - source.clientHeight / 2;
  }
}

// ---- the controls --------------------------------------------------------------------------------------------

const views = recordings.map((one) => new View(one));
const count = Math.max(...views.map((view) => view.recording.steps.length));
let current = 0;
let timer = 0;

function show() {
  for (const view of views) view.draw(current);
  $('slider').value = current + 1;
  $('slider').setAttribute('aria-valuetext', `${current + 1} / ${count}`);
  $('count').textContent = say(`${current + 1} of ${count}`, `${current + 1} / ${count}`);
  $('first').disabled = $('back').disabled = current === 0;
  $('last').disabled = $('forward').disabled = current === count - 1;
  const hash = `#step=${current + 1}` + (language === 'zh' ? '&lang=zh' : '');
  if (location.hash !== hash) history.replaceState(null, '', hash);
}
function go(i) {
  current = Math.min(Math.max(i, 0), count - 1);
  show();
}
function forward() {
  const next = current + 1;
  if (next >= count) return stop();
  const view = $('ask').checked && views.find((one) => one.recording.steps[next] && questionAt(one.recording, next));
  if (!view) return go(next);
  stop();
  ask(questionAt(view.recording, next), next);
}
function nextMoment() {
  for (let i = current + 1; i < count; ++i) {
    if (!views.some((view) => view.recording.keys[i])) continue;
    if (!$('ask').checked) return go(i);
    go(i - 1);
    return forward();
  }
  go(count - 1);
}
function stop() {
  clearTimeout(timer);
  timer = 0;
  $('play').setAttribute('aria-pressed', 'false');
  $('play').textContent = '▶▶';
}
/// At reading speed: a second and a half, and the time that it takes to read the sentence.
function playOn() {
  const length = Math.max(...views.map((view) => view.part('.said p').textContent.length));
  timer = setTimeout(() => { forward(); if (timer) playOn(); }, 1500 + length * (language === 'zh' ? 130 : 45));
}
function play() {
  if (timer) return stop();
  if (current === count - 1) go(0);
  $('play').setAttribute('aria-pressed', 'true');
  $('play').textContent = '❚❚';
  playOn();
}
/// The right answer stands in a place that depends on the step, so that it is not always the first.
function ask(question, next) {
  $('asked').textContent = question.text;
  $('verdict').textContent = '';
  $('goon').hidden = true;
  const order = question.answers.map((_, i) => (i + next) % question.answers.length);
  $('answers').replaceChildren(...order.map((index) => {
    const button = document.createElement('button');
    button.textContent = question.answers[index];
    button.addEventListener('click', () => {
      const isRight = index === 0;
      button.className = isRight ? 'right' : 'wrong';
      $('verdict').textContent = isRight ? say('Yes.', '对。') : say('No. ', '不对。') + question.answers[0];
      for (const one of $('answers').children) one.disabled = true;
      $('goon').hidden = false;
      $('goon').focus();
    });
    return button;
  }));
  $('goon').onclick = () => { $('question').close(); go(next); };
  $('question').showModal();
}

function speak() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  const title = views.map((view) => view.recording.command.join(' ')).join(' | ');
  document.title = `Replay: ${title}`;
  $('title').textContent = title;
  const names = {first: ['First step', '第一步'], back: ['Back', '后退'], forward: ['Forward', '前进'], last: ['Last step', '最后一步'], play: ['Play', '播放'], moment: ['Next key moment', '下一个关键时刻']};
  for (const [id, words] of Object.entries(names)) {
    const label = say(...words);
    $(id).setAttribute('aria-label', label);
    $(id).title = `${label} (${$(id).dataset.key})`;
  }
  $('moment').textContent = say('key moment ▶', '关键时刻 ▶');
  $('asklabel').textContent = say('ask me first', '先问我');
  $('goon').textContent = say('Go on', '继续');
  $('language').textContent = say('中文', 'English');
  $('language').lang = say('zh-CN', 'en');
  $('slider').setAttribute('aria-label', say('Step', '步骤'));
}
function readHash() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  language = wanted.get('lang') || (wanted.has('step') ? language : navigator.language.startsWith('zh') ? 'zh' : 'en');
  speak();
  go(Number(wanted.get('step') || 1) - 1 || 0);
}

$('views').replaceChildren(...views.map((view) => view.element));
$('views').style.setProperty('--views', views.length);
$('views').classList.toggle('many', views.length > 1);
$('slider').max = count;
$('slider').addEventListener('input', () => { stop(); go(Number($('slider').value) - 1); });
for (const [id, action] of Object.entries({first: () => go(0), back: () => go(current - 1), forward, last: () => go(count - 1), moment: nextMoment})) {
  $(id).addEventListener('click', () => { stop(); action(); });
}
$('play').addEventListener('click', play);
$('language').addEventListener('click', () => { language = language === 'zh' ? 'en' : 'zh'; speak(); show(); });
document.addEventListener('keydown', (event) => {
  if ($('question').open || event.ctrlKey || event.altKey || event.metaKey || event.target === $('slider')) return;
  const keys = {ArrowRight: forward, ArrowLeft: () => go(current - 1), Home: () => go(0), End: () => go(count - 1), n: nextMoment, p: play};
  const action = keys[event.key];
  if (!action) return;
  event.preventDefault();
  if (event.key !== 'p') stop();
  action();
});
addEventListener('hashchange', readHash);
addEventListener('resize', show);
window.replay = {drawKernel, sentence, views, go};
readHash();
