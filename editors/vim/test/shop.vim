" Marks, hover, fix, completion, rename and baselines, under BuildKit.
execute 'edit' $WORKSPACE . '/shop/Dockerfile'
set filetype=dockerfile
call Equal('marks of a file that is as it was built', 'ccc  cccc c cc  ', 'Marks()')
call Equal('the status line', '10/10 cached · git HEAD, assumed', 'layerwise#Summary()')
call Write('shop/src/app.js', 'document.title = "Better shop";')
call Equal('marks after a file of the context was saved', 'ccc  ccrr c c?  ', 'Marks()')
call Equal('the cause at the line end', 'rebuilt: src/app.js was modified', 'Cause(8)')
call Change(7, 'RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev')
call Equal('marks after an unsaved edit', 'ccc  crrr c c?  ', 'Marks()')

" The mark of a cached step, where another linter has a sign.
call sign_define('Other', {'text': 'W'})
call sign_place(0, 'other', 'Other', bufnr(''), {'lnum': 6, 'priority': 30})
doautocmd User ALELintPost
call Equal('the mark that a sign hides', '✓ cached', 'Cause(6)')
call sign_unplace('other')
doautocmd User ALELintPost
call Equal('no text where the mark is seen', '', 'Cause(6)')

" Hover, in the preview window as it is too long for the message line.
call cursor(8, 2)
let g:ale_hover_to_preview = 1
ALEHover
call Equal('the hover has the cause', 1, 'len(filter(getbufinfo(), {_, b -> join(getbufline(b.bufnr, 1, "$")) =~# "src/app.js was modified"})) > 0')
pclose

" EVN.
call Change(12, 'EVN PORT=8080')
call Equal('the diagnostic on EVN', [[12, 1, 3]], 'map(copy(ale#engine#GetLoclist(bufnr(""))), {_, d -> [d.lnum, d.col, d.end_col]})')
if ale#engine#GetLoclist(bufnr(''))[0].text !~# 'ENV'
  call Fail('the diagnostic says what was meant', ale#engine#GetLoclist(bufnr('')))
endif
call Equal('the mark that a sign of ALE hides', 1, 'Cause(12) =~# "✗ fails: unknown instruction"')
call cursor(12, 2)
let g:wanted = 'Change to ENV'
ALECodeAction
call Equal('the fix', 'ENV PORT=8080', 'getline(12)')
ALELint
call Equal('no mark at the line end after the fix', '', 'Cause(12)')
call Equal('no diagnostic after the fix', [], 'ale#engine#GetLoclist(bufnr(""))')

" Completion: a stage, where the buffer names one half. The first that is offered is put in; ALE gives up where a key waits.
set completeopt=menu
let s:ticks = 0
function! s:Leave(timer) abort
  let s:ticks += 1
  if pumvisible() || s:ticks > 200
    call timer_stop(a:timer)
    call feedkeys("\<C-y>\<Esc>")
  endif
endfunction
call timer_start(50, function('s:Leave'), {'repeat': -1})
call feedkeys("GoCOPY --from=bu\<C-x>\<C-o>", 'tx!')
call Equal('the completed stage', 'COPY --from=build', 'getline(17)')
17delete

" Rename, where a stage is named and where it is copied from.
call cursor(1, 25)
let g:wanted = ''
function! ale#util#Input(message, value, ...) abort
  return 'compile'
endfunction
ALERename
call Equal('the renamed stage', ['FROM node:22-alpine AS compile', 'COPY --from=compile /shop/dist /usr/share/nginx/html'], '[getline(1), getline(14)]')
ALELint
call Equal('marks after the rename, which changes no cache key', 'ccc  crrr c c?  ', 'Marks()')

" Another baseline, and recorded as built.
LayerwiseBaseline opened
call Equal('the baseline that was chosen', 1, 'layerwise#Summary() =~# "opened"')
LayerwiseMarkAsBuilt
LayerwiseBaseline auto
call Equal('marks of what is recorded as built', 'ccc  cccc c cc  ', 'Marks()')
ALEStopAllLSPs
qall!
