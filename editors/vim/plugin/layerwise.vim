" Marks of the build cache in Dockerfiles, and commands; see :help layerwise. Neovim has a plugin of its own.
if exists('g:loaded_layerwise') || has('nvim') || !has('lambda') || !exists('*sign_place')
  finish
endif
let g:loaded_layerwise = 1

function! s:Highlights() abort
  highlight default link LayerwiseCached Comment
  highlight default link LayerwiseRebuilt Directory
  highlight default link LayerwiseUncertain Directory
  highlight default link LayerwiseFails ErrorMsg
  highlight default link LayerwiseCause Comment
endfunction
call s:Highlights()

augroup layerwise
  autocmd!
  autocmd User ALELSPStarted call layerwise#Listen()
  autocmd User ALELintPost call layerwise#Repaint(bufnr(''))
  autocmd ColorScheme * call s:Highlights()
  autocmd BufRead,BufNewFile *.containerfile,*.Containerfile,Containerfile,Containerfile.* setfiletype dockerfile
  autocmd BufRead,BufNewFile Dockerfile-*,Dockerfile_*,*-Dockerfile,*_Dockerfile setfiletype dockerfile
augroup END

command! LayerwiseInfo call layerwise#Info()
command! -bang LayerwiseReorder call call(<bang>0 ? 'layerwise#Verify' : 'layerwise#Reorder', [])
command! -nargs=? LayerwiseBaseline call layerwise#Baseline(<q-args>)
command! LayerwiseBuild call layerwise#Build()
command! LayerwiseMarkAsBuilt call layerwise#MarkAsBuilt()
