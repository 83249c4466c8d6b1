;; Drives lsp-mode against the real server; the settings of README.md are loaded already.
(package-initialize)
(require 'lsp-mode)
(require 'dockerfile-mode)
(setq lsp-auto-guess-root t lsp-enable-suggest-server-download nil lsp-restart 'ignore lsp-keep-workspace-alive nil
      lsp-diagnostics-provider :none lsp-enable-file-watchers nil lsp-session-file (make-temp-name (expand-file-name "lsp-session" temporary-file-directory)))

(defun test-fail (what)
  (message "FAILED: %s" what)
  (kill-emacs 1))

(defun test-eventually (what condition)
  (let ((deadline (+ (float-time) 10)) (done nil))
    (while (not (setq done (funcall condition)))
      (when (> (float-time) deadline) (test-fail what))
      (accept-process-output nil 0.05))
    done))

(find-file (concat (getenv "WORKSPACE") "/shop/Dockerfile"))
(dockerfile-mode)
(lsp-workspace-folders-add (getenv "WORKSPACE"))
(lsp)
(test-eventually "lsp-mode manages the buffer with Layerwise"
                 (lambda () (and lsp-mode (cl-some (lambda (w) (and (eq 'layerwise (lsp--workspace-server-id w)) (eq 'initialized (lsp--workspace-status w))))
                                                   (lsp-workspaces)))))

(goto-char (point-min))
(search-forward "ENV PORT")
(replace-match "EVN PORT")
(let ((found (test-eventually "a diagnostic"
                              (lambda ()
                                (lsp--on-idle (current-buffer))
                                (gethash (lsp--fix-path-casing buffer-file-name) (lsp-diagnostics t))))))
  (unless (string-match "ENV" (format "%S" found)) (test-fail (format "the diagnostic is %S" found))))

(let ((hover (lsp-request "textDocument/hover" (lsp--text-document-position-params))))
  (unless (string-match "Compared with git HEAD" (format "%S" hover)) (test-fail (format "the hover is %S" hover))))

(goto-char (point-min))
(search-forward "EVN")
(lsp-execute-code-action (or (car (append (lsp-code-actions-at-point "quickfix") nil)) (test-fail "no fix is offered")))
(test-eventually "the fix" (lambda () (goto-char (point-min)) (search-forward "ENV PORT" nil t)))

(set-buffer-modified-p nil)
(lsp-workspace-shutdown (car (lsp-workspaces)))
(message "lsp-mode: passed")
