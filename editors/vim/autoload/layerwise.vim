" The client of Layerwise for Vim with ALE: tells ALE of the server, paints its marks and gives its actions names.

" The functions that wait for answers, by connection and id.
let s:waiting = {}

" layerwise#Define tells ALE of the server for the files of a type.
function! layerwise#Define(filetype) abort
  call ale#Set('layerwise_executable', 'layerwise')
  call ale#Set('layerwise_settings', {})
  call ale#linter#Define(a:filetype, {
  \   'name': 'layerwise',
  \   'lsp': 'stdio',
  \   'executable': {buffer -> ale#Var(buffer, 'layerwise_executable')},
  \   'command': '%e serve --stdio',
  \   'project_root': function('layerwise#Root'),
  \   'initialization_options': {buffer -> {'cacheStatus': v:true, 'layerwise': ale#Var(buffer, 'layerwise_settings')}},
  \})
endfunction

" layerwise#Root is the workspace folder of a Dockerfile, compose or bake file: its repository, else its own folder. It
" is empty for other files.
function! layerwise#Root(buffer) abort
  let l:file = fnamemodify(bufname(a:buffer), ':p')
  if getbufvar(a:buffer, '&filetype') !=# 'dockerfile'
  \ && fnamemodify(l:file, ':t') !~# '\v^(docker-)?compose.*\.ya?ml$|^docker-bake.*\.(hcl|json)$|\.bake\.hcl$'
    return ''
  endif
  let l:directory = fnamemodify(l:file, ':h')
  let l:git = finddir('.git', fnameescape(l:directory) . ';')
  if empty(l:git)
    let l:git = findfile('.git', fnameescape(l:directory) . ';') " a worktree
  endif
  return empty(l:git) ? l:directory : fnamemodify(substitute(fnamemodify(l:git, ':p'), '/$', '', ''), ':h')
endfunction

" layerwise#Listen hears what the servers say beside the answers to ALE's own requests.
function! layerwise#Listen() abort
  for l:id in keys(ale#lsp#GetConnections())
    call ale#lsp#RegisterCallback(l:id, function('s:Receive'))
  endfor
endfunction

function! s:Receive(connection, message) abort
  if get(a:message, 'method', '') ==# 'layerwise/cacheStatus'
    call s:Paint(a:connection, a:message.params)
  elseif has_key(s:waiting, a:connection . ' ' . get(a:message, 'id', ''))
    let l:OnResult = remove(s:waiting, a:connection . ' ' . a:message.id)
    if has_key(a:message, 'error')
      call s:Say(a:message.error.message)
    elseif !empty(get(a:message, 'result', v:null))
      call l:OnResult(a:message.result)
    endif
  endif
endfunction

function! s:Say(text) abort
  echohl None
  echomsg 'Layerwise: ' . a:text
endfunction

" Marks.

let s:kinds = {
\ 'cached': {'text': '✓', 'texthl': 'LayerwiseCached'},
\ 'rebuilt': {'text': '↻', 'texthl': 'LayerwiseRebuilt'},
\ 'uncertain': {'text': '◌', 'texthl': 'LayerwiseUncertain'},
\ 'fails': {'text': '✗', 'texthl': 'LayerwiseFails'},
\}
let s:virtual_text = has('patch-9.0.0297')

call sign_define(map(items(s:kinds), {_, kind -> extend({'name': 'Layerwise_' . kind[0]}, kind[1])}))
if s:virtual_text && empty(prop_type_get('layerwise'))
  call prop_type_add('layerwise', {'highlight': 'LayerwiseCause'})
endif

" The kind of a step's mark; empty for what makes no layer or is not built.
function! s:Kind(step) abort
  if a:step.status ==# 'rebuilt'
    return a:step.certain ? 'rebuilt' : 'uncertain'
  endif
  return index(['cached', 'fails'], a:step.status) >= 0 ? a:step.status : ''
endfunction

" What stands at the end of a step's line.
function! s:LineEnd(step, kind) abort
  let l:verdict = a:kind ==# 'uncertain' ? 'maybe rebuilt' : a:kind
  let l:cause = get(a:step, 'cause', v:null)
  if type(l:cause) != v:t_dict
    return l:verdict
  endif
  return l:verdict . ': ' . l:cause.detail
endfunction

function! s:Buffer(uri) abort
  let l:path = resolve(ale#path#FromFileURI(a:uri))
  for l:info in getbufinfo({'bufloaded': 1})
    if resolve(l:info.name) ==# l:path
      return l:info.bufnr
    endif
  endfor
  return 0
endfunction

function! s:Paint(connection, status) abort
  let l:buffer = s:Buffer(a:status.uri)
  if !l:buffer
    return
  endif
  if a:status.state ==# 'pending'
    return
  endif
  call setbufvar(l:buffer, 'layerwise', {'connection': a:connection, 'status': a:status})
  call layerwise#Repaint(l:buffer)
  redrawstatus
endfunction

" layerwise#Repaint paints the marks of a buffer; a mark that another sign hides stands at the line end.
function! layerwise#Repaint(buffer) abort
  let l:status = get(getbufvar(a:buffer, 'layerwise', {}), 'status', {})
  if empty(l:status)
    return
  endif
  call sign_unplace('layerwise', {'buffer': a:buffer})
  if s:virtual_text
    call prop_remove({'type': 'layerwise', 'bufnr': a:buffer, 'all': 1})
  endif
  let l:priority = get(g:, 'layerwise_sign_priority', 5)
  let l:others = {}
  for l:sign in sign_getplaced(a:buffer, {'group': '*'})[0].signs
    let l:others[l:sign.lnum] = max([l:sign.priority, get(l:others, l:sign.lnum, 0)])
  endfor
  let l:last = getbufinfo(a:buffer)[0].linecount
  for l:step in l:status.steps
    let l:kind = s:Kind(l:step)
    if empty(l:kind) || l:step.endLine > l:last
      continue
    endif
    let l:hidden = get(l:others, l:step.line) > l:priority
    if get(g:, 'layerwise_signs', 1)
      call sign_place(0, 'layerwise', 'Layerwise_' . l:kind, a:buffer, {'lnum': l:step.line, 'priority': l:priority})
    endif
    if s:virtual_text && (l:kind !=# 'cached' || l:hidden) && get(g:, 'layerwise_causes', 1)
      let l:text = (l:hidden ? s:kinds[l:kind].text . ' ' : '') . s:LineEnd(l:step, l:kind)
      call prop_add(l:step.endLine, 0, {'type': 'layerwise', 'bufnr': a:buffer, 'text': l:text,
      \ 'text_align': 'after', 'text_padding_left': 1})
    endif
  endfor
endfunction

" What nobody knows of the baseline, a sentence; JSON's null is empty, too.
function! s:Assumed(status) abort
  let l:assumed = get(a:status.baseline, 'assumed', '')
  return type(l:assumed) == v:t_string && !empty(l:assumed) ? ['assuming that ' . l:assumed] : []
endfunction

" layerwise#Summary is one line about the current buffer, for status lines: "5/7 cached · git HEAD, assumed",
" "fails at line 3 · git HEAD".
function! layerwise#Summary() abort
  if !exists('b:layerwise')
    return ''
  endif
  let l:status = b:layerwise.status
  let l:failing = filter(copy(l:status.steps), {_, step -> step.status ==# 'fails'})
  let l:text = empty(l:failing)
  \ ? printf('%d/%d cached', l:status.summary.cached, l:status.summary.cached + l:status.summary.rebuilt)
  \ : printf('fails at line %d', l:failing[0].line)
  return printf('%s · %s%s', l:text, l:status.baselineLabel, empty(s:Assumed(l:status)) ? '' : ', assumed')
endfunction

" Commands.

function! s:Ask(method, params, OnResult) abort
  if !exists('b:layerwise')
    call s:Say('the server has said nothing of this file yet. Is it a Dockerfile? See :help layerwise-trouble')
    return
  endif
  let l:id = ale#lsp#Send(b:layerwise.connection, [0, a:method, a:params])
  let s:waiting[b:layerwise.connection . ' ' . l:id] = a:OnResult
endfunction

function! s:Uri() abort
  return exists('b:layerwise') ? b:layerwise.status.uri : ''
endfunction

function! s:Execute(command, ...) abort
  call s:Ask('workspace/executeCommand', {'command': a:command, 'arguments': [s:Uri()] + a:000}, {_ -> 0})
endfunction

" Lets one of some items be chosen by number.
function! s:Pick(prompt, items, Title, OnPick) abort
  let l:lines = map(copy(a:items), {i, item -> printf('%d) %s', i + 1, a:Title(item))})
  let l:n = str2nr(ale#util#Input(join([a:prompt] + l:lines + ['Type number and <Enter> (empty cancels): '], "\n"), ''))
  if l:n > 0 && l:n <= len(a:items)
    call a:OnPick(a:items[l:n - 1])
  endif
endfunction

function! s:Choose(method, prompt, command) abort
  let l:Title = {item -> item.label . (empty(get(item, 'detail', '')) ? '' : ' (' . item.detail . ')')}
  let l:OnPick = {item -> s:Execute(a:command, get(item, 'spec', get(item, 'id', '')))}
  call s:Ask(a:method, {'textDocument': {'uri': s:Uri()}}, {choices -> s:Pick(a:prompt, choices.items, l:Title, l:OnPick)})
endfunction

function! layerwise#Baseline(spec) abort
  if empty(a:spec)
    call s:Choose('layerwise/baselines', 'Compare the next build with', 'layerwise.selectBaseline')
  else
    call s:Execute('layerwise.selectBaseline', a:spec)
  endif
endfunction

function! layerwise#Build() abort
  call s:Choose('layerwise/builds', 'Which build is meant?', 'layerwise.selectBuild')
endfunction

function! layerwise#MarkAsBuilt() abort
  call s:Execute('layerwise.markAsBuilt')
endfunction

function! layerwise#Reorder() abort
  let l:params = {
  \ 'textDocument': {'uri': s:Uri()},
  \ 'range': {'start': {'line': 0, 'character': 0}, 'end': {'line': line('$'), 'character': 0}},
  \ 'context': {'diagnostics': [], 'only': ['refactor.rewrite']},
  \}
  call s:Ask('textDocument/codeAction', l:params, function('s:OfferRewrites'))
endfunction

function! s:OfferRewrites(actions) abort
  let l:enabled = filter(copy(a:actions), {_, action -> !has_key(action, 'disabled')})
  if empty(l:enabled)
    call s:Say(a:actions[0].disabled.reason)
    return
  endif
  let l:connection = b:layerwise.connection
  let l:of = {'connection_id': l:connection}
  call s:Pick('Reorder:', l:enabled, {action -> action.title},
    \ {action -> ale#codefix#ApplyLSPCodeAction(l:of, action)})
endfunction

" layerwise#Verify has the file built as it is and reordered, in a terminal, and written where the images are the same.
" ALE cannot answer a server that asks for an edit, so that the program does it.
function! layerwise#Verify() abort
  update
  let l:buffer = bufnr('')
  let l:command = [ale#Var(l:buffer, 'layerwise_executable'), 'reorder', '--verify', '--write', expand('%:p')]
  let l:daemon = get(ale#Var(l:buffer, 'layerwise_settings'), 'buildkit', '')
  if l:daemon =~# '://'
    call extend(l:command, ['--buildkit', l:daemon], 2)
  endif
  setlocal autoread
  call term_start(l:command, {'term_rows': 12, 'exit_cb': {-> execute('checktime ' . l:buffer)}})
endfunction

function! layerwise#Info() abort
  if !exists('b:layerwise')
    call s:Say('nothing is known of this file. Is it a Dockerfile, and does :ALEInfo list layerwise? '
      \ . 'See :help layerwise-trouble')
    return
  endif
  let l:status = b:layerwise.status
  echo join([layerwise#Summary(), 'engine ' . l:status.engine] + s:Assumed(l:status) + get(l:status, 'notes', []), "\n")
endfunction
