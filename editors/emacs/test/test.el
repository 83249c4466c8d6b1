;; Drives Eglot against the real server; the settings of README.md are loaded already.
(package-initialize)
(require 'eglot)
(require 'dockerfile-mode)
(require 'flymake)
(setq eglot-sync-connect 30)

(defun test-eventually (what condition)
  (let ((deadline (+ (float-time) 10)) (done nil))
    (while (not (setq done (funcall condition)))
      (when (> (float-time) deadline)
        (message "FAILED: %s" what)
        (kill-emacs 1))
      (accept-process-output nil 0.05))
    done))

(find-file (concat (getenv "WORKSPACE") "/shop/Dockerfile"))
(dockerfile-mode)
(apply #'eglot (eglot--guess-contact))
(test-eventually "Eglot manages the buffer" #'eglot-managed-p)

(goto-char (point-min))
(search-forward "ENV PORT")
(replace-match "EVN PORT")
(let* ((found (test-eventually "a diagnostic"
                               (lambda ()
                                 (eglot--signal-textDocument/didChange)
                                 (flymake-start)
                                 (car (flymake-diagnostics)))))
       (word (buffer-substring (flymake-diagnostic-beg found) (flymake-diagnostic-end found))))
  (unless (and (equal word "EVN") (string-match "ENV" (flymake-diagnostic-text found)))
    (message "FAILED: the diagnostic is on %S: %s" word (flymake-diagnostic-text found))
    (kill-emacs 1)))

(goto-char (point-min))
(search-forward "EVN")
(eglot-code-actions (match-beginning 0) (match-end 0) "quickfix" t)
(test-eventually "the fix"
                 (lambda () (goto-char (point-min)) (search-forward "ENV PORT" nil t)))
(test-eventually "no diagnostic after the fix"
                 (lambda ()
                   (eglot--signal-textDocument/didChange)
                   (flymake-start)
                   (null (flymake-diagnostics))))

(goto-char (point-min))
(let ((hover (jsonrpc-request (eglot--current-server-or-lose) :textDocument/hover (eglot--TextDocumentPositionParams))))
  (unless (string-match "cached" (format "%S" hover))
    (message "FAILED: the hover is %S" hover)
    (kill-emacs 1)))

(eglot-shutdown (eglot--current-server-or-lose))
(set-buffer-modified-p nil)
