;; Drives Eglot or lsp-mode (the variable CLIENT) against the real server; the settings of README.md are loaded already.  -*- lexical-binding: t -*-
(require 'dockerfile-mode)
(require 'flymake)
(setq eglot-sync-connect 30 eglot-send-changes-idle-time 0.1 eglot-confirm-server-initiated-edits nil
      lsp-auto-guess-root t lsp-enable-suggest-server-download nil lsp-restart 'ignore lsp-enable-file-watchers nil
      lsp-keep-workspace-alive nil lsp-diagnostics-provider :flymake lsp-idle-delay 0.1
      lsp-session-file (expand-file-name "lsp-session" user-emacs-directory)
      create-lockfiles nil make-backup-files nil)

(defvar test-eglot (equal (getenv "CLIENT") "eglot"))
(require (if test-eglot 'eglot 'lsp-mode))

(defun test-fail (what seen)
  (message "FAILED: %s; seen: %S" what seen)
  (kill-emacs 1))

(defun test-equal (what want get)
  "Wait until the function GET gives WANT; a function as WANT is asked."
  (let ((deadline (+ (float-time) 20)) got)
    (while (not (if (functionp want) (funcall want (setq got (funcall get))) (equal want (setq got (funcall get)))))
      (when (> (float-time) deadline) (test-fail what got))
      (run-hooks 'post-command-hook)
      (accept-process-output nil 0.05)
      (sit-for 0.05))))

(defun test-has (text) (lambda (got) (and got (string-match-p (regexp-quote text) (format "%s" got)))))

(defun test-line (n)
  (save-excursion (goto-char (point-min)) (forward-line (1- n)) (buffer-substring-no-properties (point) (line-end-position))))

(defun test-replace-line (n text)
  (goto-char (point-min))
  (forward-line (1- n))
  (delete-region (point) (line-end-position))
  (insert text)
  (test-sync))

(defun test-sync ()
  "Send what Eglot sends once the user pauses."
  (when test-eglot (eglot--signal-textDocument/didChange)))

(defun test-mark (line)
  "The overlay of the mark that begins on LINE."
  (save-excursion
    (goto-char (point-min))
    (forward-line (1- line))
    (cl-find-if (lambda (o) (and (overlay-get o 'layerwise) (= (overlay-start o) (point)))) (overlays-at (point)))))

(defun test-end-of (line)
  "What the mark of LINE says at the end of its instruction."
  (let ((mark (test-mark line)))
    (and mark (substring-no-properties (overlay-get mark 'after-string)))))

(defun test-marks ()
  "The marks, one letter per line: c cached, r rebuilt, ? uncertain, x fails."
  (mapconcat (lambda (n)
               (let ((mark (test-mark n)))
                 (if mark (cdr (assq (overlay-get mark 'layerwise) '((cached . "c") (rebuilt . "r") (uncertain . "?") (fails . "x")))) " ")))
             (number-sequence 1 16) ""))

(defun test-write (path text)
  (write-region text nil (concat (getenv "WORKSPACE") "/" path) nil 'silent))

(defun test-diagnostics ()
  (test-sync)
  (flymake-start)
  (mapcar (lambda (d) (list (buffer-substring-no-properties (flymake-diagnostic-beg d) (flymake-diagnostic-end d)) (flymake-diagnostic-text d)))
          (flymake-diagnostics)))

(defun test-hover ()
  (if test-eglot
      (let (said)
        (eglot-hover-eldoc-function (lambda (text &rest _) (setq said text)))
        (with-timeout (5) (while (not said) (accept-process-output nil 0.05)))
        said)
    (lsp-describe-thing-at-point)
    (with-current-buffer "*lsp-help*" (buffer-string))))

(defun test-settings (name value)
  "Send the setting NAME with VALUE."
  (if test-eglot
      (progn (setq-default eglot-workspace-configuration
                           (plist-put (copy-sequence (default-value 'eglot-workspace-configuration)) :layerwise
                                      (plist-put (plist-get (default-value 'eglot-workspace-configuration) :layerwise)
                                                 (intern (concat ":" name)) value)))
             (eglot-signal-didChangeConfiguration (eglot-current-server)))
    (lsp-register-custom-settings (list (list (concat "layerwise." name) value)))
    (with-lsp-workspace (car (lsp-workspaces)) (lsp--set-configuration (lsp-configuration-section "layerwise")))))

(defun test-file (variable)
  (with-temp-buffer (insert-file-contents (getenv variable)) (buffer-string)))

(defun test-text () (buffer-substring-no-properties (point-min) (point-max)))

(defun test-open (path)
  (find-file (concat (getenv "WORKSPACE") "/" path))
  (dockerfile-mode)
  (unless test-eglot (lsp-workspace-folders-add (getenv "WORKSPACE")))
  (if test-eglot (apply #'eglot (eglot--guess-contact)) (lsp))
  (test-equal "the client manages the buffer" #'identity (if test-eglot #'eglot-managed-p (lambda () (and lsp-mode (lsp-workspaces))))))

;; What is chosen from a list is chosen by a part of its title.
(defvar test-wanted "")
(setq last-nonmenu-event ?\r) ; as typed: Eglot opens a menu where it was a click
(advice-add 'completing-read :override
            (lambda (_prompt collection &rest _)
              (or (cl-find-if (lambda (title) (let (case-fold-search) (string-match-p (regexp-quote test-wanted) title))) (all-completions "" collection))
                  (test-fail (format "a choice with %S" test-wanted) (all-completions "" collection)))))

;; Marks.
(test-open "shop/Dockerfile")
(test-equal "marks of a file that is as it was built" "ccc  cccc c cc  " #'test-marks)
(test-equal "the mode line" "10/10 cached · git HEAD, assumed" #'layerwise-summary)
(test-write "shop/src/app.js" "document.title = \"Better shop\";\n")
(test-equal "marks after a file of the context was saved" "ccc  ccrr c c?  " #'test-marks)
(test-equal "the cause at the line end" " ↻ rebuilt: src/app.js was modified" (lambda () (test-end-of 8)))
(test-replace-line 7 "RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev")
(test-equal "marks after an unsaved edit" "ccc  crrr c c?  " #'test-marks)

;; Hover.
(goto-char (point-min))
(forward-line 7)
(test-equal "the hover has the cause" (test-has "src/app.js") #'test-hover)

;; EVN.
(test-replace-line 12 "EVN PORT=8080")
(test-equal "the diagnostic on EVN" (lambda (found) (and (equal (caar found) "EVN") (string-match-p "ENV" (cadar found)))) #'test-diagnostics)
(goto-char (point-min))
(forward-line 11)
(setq test-wanted "Change to ENV")
(if test-eglot
    (eglot-code-actions (point) (+ (point) 3) "quickfix" t)
  (lsp-execute-code-action (lsp--select-action (lsp-code-actions-at-point "quickfix"))))
(test-equal "the fix" "ENV PORT=8080" (lambda () (test-line 12)))
(test-equal "no diagnostic after the fix" nil #'test-diagnostics)

;; Completion.
(goto-char (point-max))
(insert "COPY --from=bu")
(test-sync)
(font-lock-set-defaults) ; what lsp-mode's indenting goes by
(save-excursion (font-lock-fontify-region (point-min) (point-max)))
(completion-at-point) ; images too begin with this
(with-current-buffer "*Completions*"
  (goto-char (point-min))
  (re-search-forward "^build\\_>")
  (choose-completion-string (match-string 0) completion-reference-buffer completion-base-position completion-list-insert-choice-function))
(test-equal "the completed stage" "COPY --from=build" (lambda () (test-line 17)))
(delete-region (line-beginning-position) (point-max))
(test-sync)

;; Rename, where a stage is named and where it is copied from.
(goto-char (point-min))
(search-forward "AS bu")
(if test-eglot (eglot-rename "compile") (lsp-rename "compile"))
(test-sync)
(test-equal "the renamed stage" '("FROM node:22-alpine AS compile" "COPY --from=compile /shop/dist /usr/share/nginx/html")
            (lambda () (list (test-line 1) (test-line 14))))
(test-equal "marks after the rename, which changes no cache key" "ccc  crrr c c?  " #'test-marks)

;; Another baseline, and recorded as built.
(setq test-wanted "The file as it was opened")
(call-interactively #'layerwise-select-baseline)
(test-equal "the baseline that was chosen" (test-has "opened") #'layerwise-summary)
(layerwise-mark-as-built)
(layerwise-select-baseline "auto")
(test-equal "marks of what is recorded as built" "ccc  cccc c cc  " #'test-marks)
(layerwise-mode -1)
(test-equal "no marks where they are switched off" (make-string 16 ?\s) #'test-marks)
(set-buffer-modified-p nil)

;; Reordering, under the classic builder.
(test-settings "engine" "classic")
(test-open "seed/Dockerfile")
(test-equal "marks of the seed, where every instruction is a step" "c ccc cc c      " #'test-marks)
(setq test-wanted "classic builder")
(layerwise-reorder)
(test-equal "the reordered file" (test-file "AFTER") #'test-text)
(set-buffer-modified-p nil)

;; Reordering with verification: nothing is changed where the images differ.
(test-open "kept/Dockerfile")
(test-settings "buildkit" "tcp://127.0.0.1:1")
(test-settings "engine" "buildkit")
(test-equal "marks of a file that is verified" "cccc            " #'test-marks)
(setq test-wanted "Verify and apply")
(write-region "" nil (getenv "DIFFERS") nil 'silent)
(let ((before (test-text)))
  (layerwise-reorder)
  (test-equal "it is said that the images differ" (test-has "the reordering makes another image")
              (lambda () (with-current-buffer "*Messages*" (buffer-string))))
  (test-equal "nothing is changed where they differ" before #'test-text))
(delete-file (getenv "DIFFERS"))
(layerwise-reorder)
(test-equal "the verified order" (test-file "KEPT") #'test-text)
(set-buffer-modified-p nil)
(if test-eglot (eglot-shutdown (eglot-current-server)) (lsp-workspace-shutdown (car (lsp-workspaces))))
