" Drives ALE against the real server; the settings of README.md stand above.
function! Fail(what) abort
  call writefile(['FAILED: ' . a:what, string(getloclist(0)), join(getline(1, '$'), "\n")], fnamemodify($WORKSPACE, ':h') . '/failure')
  cquit
endfunction

function! Eventually(what, condition) abort
  for l:i in range(200)
    if eval(a:condition)
      return
    endif
    sleep 50m
  endfor
  call Fail(a:what)
endfunction

function! Found() abort
  return ale#engine#GetLoclist(bufnr(''))
endfunction

execute 'edit' $WORKSPACE . '/shop/Dockerfile'
set filetype=dockerfile
call setline(12, 'EVN PORT=8080')
ALELint
call Eventually('a diagnostic', 'len(Found()) == 1')
let s:found = Found()[0]
if [s:found.lnum, s:found.col, s:found.end_col] != [12, 1, 3] || s:found.text !~# 'ENV'
  call Fail('the diagnostic is ' . string(s:found))
endif

call cursor(12, 2)
ALECodeAction
call Eventually('the fix', 'getline(12) ==# "ENV PORT=8080"')
ALELint
call Eventually('no diagnostic after the fix', 'empty(Found())')
ALEStopAllLSPs
qall!
