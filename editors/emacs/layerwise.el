;;; layerwise.el --- The Docker build cache, while you edit  -*- lexical-binding: t -*-

;; Author: The Layerwise authors
;; URL: https://github.com/layerwise/layerwise
;; Version: 0.1.0
;; Package-Requires: ((emacs "27.1"))
;; Keywords: languages, tools
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Starts the language server Layerwise for Dockerfiles, with Eglot or with lsp-mode, and paints its marks: in the fringe
;; what the next build reuses and what it runs, and at the line ends why.
;;
;;     (require 'layerwise)
;;     (layerwise-setup)
;;     (add-hook 'dockerfile-mode-hook #'eglot-ensure)   ; or #'lsp-deferred

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'url-parse)
(require 'url-util)

(declare-function eglot-current-server "eglot")
(declare-function eglot-execute-command "eglot")
(declare-function eglot-code-actions "eglot")
(declare-function jsonrpc-request "jsonrpc")
(declare-function lsp-code-actions-at-point "lsp-mode")
(declare-function lsp-execute-code-action "lsp-mode")
(declare-function lsp-register-client "lsp-mode")
(declare-function lsp-register-custom-settings "lsp-mode")
(declare-function lsp-request "lsp-mode")
(declare-function lsp--range "lsp-mode")
(declare-function lsp--select-action "lsp-mode")
(declare-function lsp-point-to-position "lsp-mode")
(declare-function make-lsp-client "lsp-mode")
(declare-function lsp-stdio-connection "lsp-mode")
(declare-function lsp-activate-on "lsp-mode")
(defvar eglot-server-programs)
(defvar eglot-workspace-configuration)
(defvar lsp-language-id-configuration)

(defgroup layerwise nil
  "The Docker build cache, while you edit."
  :group 'tools
  :prefix "layerwise-")

(defcustom layerwise-command '("layerwise" "serve" "--stdio")
  "How the server is started."
  :type '(repeat string))

(defcustom layerwise-settings '(:baseline "auto")
  "The server's settings as a plist; docs/protocol.md of Layerwise lists them.
They are read by `layerwise-setup'; `eglot-workspace-configuration' of
a project stands above them."
  :type 'plist)

(defcustom layerwise-causes t
  "Whether to write at the end of a line what the next build does with it, and why.
Where the client shows inlay hints, these say it already."
  :type 'boolean)

(defcustom layerwise-fringe 'left-fringe
  "The fringe that the marks are in; Flymake's own, in the left one, hide them."
  :type '(choice (const left-fringe) (const right-fringe)))

(defface layerwise-cached '((t :inherit success))
  "The mark of what the next build reuses.")

(defface layerwise-rebuilt '((t :inherit font-lock-function-name-face))
  "The mark of what the next build runs.")

(defface layerwise-fails '((t :inherit error))
  "The mark of where the next build fails.")

(defface layerwise-cause '((t :inherit shadow))
  "The cause at the end of a line.")

(when (fboundp 'define-fringe-bitmap)
  (define-fringe-bitmap 'layerwise-cached [#x00 #x01 #x03 #x46 #x6c #x38 #x10 #x00] nil 8)
  (define-fringe-bitmap 'layerwise-rebuilt [#x3d #x43 #x87 #x80 #x80 #x81 #x42 #x3c] nil 8)
  (define-fringe-bitmap 'layerwise-uncertain [#x34 #x02 #x80 #x81 #x81 #x01 #x40 #x2c] nil 8)
  (define-fringe-bitmap 'layerwise-fails [#x00 #xc3 #x66 #x3c #x3c #x66 #xc3 #x00] nil 8))

;;; What the server says

(defvar-local layerwise--status nil
  "The newest layerwise/cacheStatus of the buffer, as the client read it.")

(defvar layerwise-mode)

(defun layerwise--get (object &rest path)
  "The value in OBJECT, JSON as a plist or a hash table, at the keys of PATH."
  (dolist (key path object)
    (setq object (if (hash-table-p object)
                     (gethash key object)
                   (plist-get object (intern (concat ":" key)))))))

(defun layerwise--true (value)
  "Whether a JSON VALUE is there and not false."
  (not (memq value '(nil :json-false :json-null :false :null))))

(defun layerwise--buffer (uri)
  "The buffer of a Dockerfile that the server names by URI."
  (let* ((path (decode-coding-string (url-unhex-string (url-filename (url-generic-parse-url uri))) 'utf-8))
         (path (if (memq system-type '(windows-nt ms-dos)) (substring path 1) path))
         (of-path (lambda (file) (and file (string= (file-local-name file) path)))))
    (cl-find-if (lambda (buffer)
                  (with-current-buffer buffer
                    (and layerwise-mode
                         (or (funcall of-path buffer-file-name)
                             (funcall of-path (and buffer-file-truename (expand-file-name buffer-file-truename)))))))
                (buffer-list))))

(defun layerwise--receive (status)
  "Note and paint STATUS, the parameters of a layerwise/cacheStatus."
  (when-let ((buffer (layerwise--buffer (layerwise--get status "uri"))))
    (with-current-buffer buffer
      (cond
       ((not (numberp (layerwise--get status "version"))) ; the document was closed
        (layerwise--clear))
       ((bound-and-true-p eglot--recent-changes)) ; the answer for the newest text follows
       ((equal (layerwise--get status "state") "ready")
        (setq layerwise--status status)
        (layerwise--paint))))))

;;; Marks

(defvar-local layerwise--overlays nil)

(defun layerwise--clear ()
  "Forget the status of the buffer and its marks."
  (mapc #'delete-overlay layerwise--overlays)
  (setq layerwise--overlays nil
        layerwise--status nil))

(defun layerwise--kind (step)
  "What the mark of STEP says; nil for what makes no layer or is not built."
  (pcase (layerwise--get step "status")
    ("cached" 'cached)
    ("rebuilt" (if (layerwise--true (layerwise--get step "certain")) 'rebuilt 'uncertain))
    ("fails" 'fails)))

(defun layerwise--face (kind)
  "The face of the marks of KIND."
  (pcase kind ('cached 'layerwise-cached) ('fails 'layerwise-fails) (_ 'layerwise-rebuilt)))

(defun layerwise--line-end (step kind)
  "What stands at the end of STEP, whose mark is KIND."
  (let ((cause (layerwise--get step "cause")))
    (concat (pcase kind
              ('cached "✓ cached") ('rebuilt "↻ rebuilt") ('uncertain "◌ maybe rebuilt") ('fails "✗ fails"))
            (if (layerwise--true cause) (concat ": " (layerwise--get cause "detail")) ""))))

(defun layerwise--line (n)
  "The position at which line N begins."
  (goto-char (point-min))
  (forward-line (1- n))
  (point))

(defun layerwise--paint ()
  "Paint the marks of the buffer afresh."
  (mapc #'delete-overlay layerwise--overlays)
  (setq layerwise--overlays nil)
  (let* ((fringe (and (display-graphic-p) (fboundp 'define-fringe-bitmap)))
         (hints (or (bound-and-true-p eglot-inlay-hints-mode) (bound-and-true-p lsp-inlay-hints-mode)))
         (line-ends (and layerwise-causes (not hints))))
    (save-excursion
      (save-restriction
        (widen)
        (seq-doseq (step (layerwise--get layerwise--status "steps"))
          (when-let ((kind (layerwise--kind step)))
            (let* ((start (layerwise--line (layerwise--get step "line")))
                   (end (progn (layerwise--line (layerwise--get step "endLine")) (line-end-position)))
                   (overlay (make-overlay start end nil nil t))) ; what is typed at its end stays in front of the cause
              (overlay-put overlay 'layerwise kind)
              (when fringe
                (overlay-put overlay 'before-string
                             (propertize "." 'display
                                         (list layerwise-fringe (intern (format "layerwise-%s" kind))
                                               (layerwise--face kind)))))
              ;; In the fringe a cached step has said all that there is.
              (when (and line-ends (not (and fringe (eq kind 'cached))))
                (overlay-put overlay 'after-string
                             (concat (propertize " " 'cursor t)
                                     (propertize (layerwise--line-end step kind) 'face 'layerwise-cause))))
              (push overlay layerwise--overlays)))))))
  (force-mode-line-update))

(defun layerwise-summary ()
  "One line about the buffer: \"5/7 cached · git HEAD, assumed\"."
  (when layerwise--status
    (let ((cached (layerwise--get layerwise--status "summary" "cached"))
          (rebuilt (layerwise--get layerwise--status "summary" "rebuilt"))
          (failing (cl-find "fails" (layerwise--get layerwise--status "steps")
                            :key (lambda (step) (layerwise--get step "status")) :test #'equal)))
      (format "%s · %s%s"
              (if failing
                  (format "fails at line %d" (layerwise--get failing "line"))
                (format "%d/%d cached" cached (+ cached rebuilt)))
              (layerwise--get layerwise--status "baselineLabel")
              (if (layerwise--assumed) ", assumed" "")))))

(defun layerwise--assumed ()
  "What nobody knows of the baseline, a sentence; nil where a builder is known."
  (let ((assumed (layerwise--get layerwise--status "baseline" "assumed")))
    (and (stringp assumed) (not (string-empty-p assumed)) assumed)))

;;;###autoload
(define-minor-mode layerwise-mode
  "Show what the next build does with each instruction of the Dockerfile."
  :lighter (:eval (if-let ((summary (layerwise-summary))) (format " [%s]" summary) " Layerwise"))
  (unless layerwise-mode
    (layerwise--clear)))

;;; Commands

(defun layerwise--lsp-mode-p ()
  "Whether lsp-mode is the client of the buffer."
  (bound-and-true-p lsp-mode))

(defun layerwise--request (method params)
  "Send the request METHOD with PARAMS, a plist, and give its result."
  (if (layerwise--lsp-mode-p)
      (lsp-request method params)
    (jsonrpc-request (or (eglot-current-server) (user-error "No server is running for this buffer"))
                     (intern (concat ":" method)) params)))

(defun layerwise--uri ()
  "The URI of the buffer, as its client spells it."
  (layerwise--get layerwise--status "uri"))

(defun layerwise--execute (command &rest arguments)
  "Have the server run COMMAND on the buffer, with more ARGUMENTS."
  (unless layerwise--status
    (user-error "The server has said nothing of this buffer yet"))
  (layerwise--request "workspace/executeCommand"
                      (list :command command :arguments (apply #'vector (layerwise--uri) arguments))))

(defun layerwise--choose (method prompt key)
  "Let one of what the server lists for METHOD be chosen with PROMPT; give its KEY."
  (unless layerwise--status
    (user-error "The server has said nothing of this buffer yet"))
  (let* ((choices (layerwise--request method (list :textDocument (list :uri (layerwise--uri)))))
         (labels (mapcar (lambda (item)
                           (let ((detail (layerwise--get item "detail")))
                             (cons (concat (layerwise--get item "label")
                                           (and (stringp detail) (not (string-empty-p detail)) (format " (%s)" detail)))
                                   (layerwise--get item key))))
                         (layerwise--get choices "items")))
         (current (car (rassoc (layerwise--get choices "current") labels))))
    (cdr (assoc (completing-read (format "%s%s: " prompt (if current (format " (now: %s)" current) "")) labels nil t)
                labels))))

(defun layerwise-select-baseline (spec)
  "Compare the buffer with SPEC from now on: \"git:main\", \"recorded\", \"auto\"."
  (interactive (list (if current-prefix-arg
                         (read-string "Compare with (such as git:main, dir:../old): ")
                       (layerwise--choose "layerwise/baselines" "Compare the next build with" "spec"))))
  (layerwise--execute "layerwise.selectBaseline" spec))

(defun layerwise-select-build (id)
  "Take ID as the build that is meant, of those in compose and bake files."
  (interactive (list (layerwise--choose "layerwise/builds" "Which build is meant" "id")))
  (layerwise--execute "layerwise.selectBuild" id))

(defun layerwise-mark-as-built ()
  "Record that the Dockerfile and its build context are as they were last built."
  (interactive)
  (layerwise--execute "layerwise.markAsBuilt"))

(defun layerwise-reorder ()
  "Offer an order of the instructions that saves rebuilds."
  (interactive)
  (if (not (layerwise--lsp-mode-p))
      (eglot-code-actions (point-min) (point-max) "refactor.rewrite" t)
    (lsp-execute-code-action
     (lsp--select-action
      (lsp-request "textDocument/codeAction"
                   (list :textDocument (list :uri (layerwise--uri))
                         :range (lsp--range (lsp-point-to-position (point-min)) (lsp-point-to-position (point-max)))
                         :context (list :diagnostics [] :only ["refactor.rewrite"])))))))

(defun layerwise-info ()
  "Say what the marks are compared with, and the server's remarks."
  (interactive)
  (if (not layerwise--status)
      (message "Layerwise has said nothing of this buffer yet; is the server running?")
    (message "%s" (string-join
                   (append (list (layerwise-summary) (format "engine %s" (layerwise--get layerwise--status "engine")))
                           (and (layerwise--assumed) (list (concat "assuming that " (layerwise--assumed))))
                           (append (layerwise--get layerwise--status "notes") nil))
                   "\n"))))

;;; Clients

;;;###autoload
(defun layerwise-setup ()
  "Make Layerwise the server of Dockerfiles, in Eglot and in lsp-mode."
  (add-hook 'dockerfile-mode-hook #'layerwise-mode)
  (add-hook 'dockerfile-ts-mode-hook #'layerwise-mode)
  (with-eval-after-load 'eglot (layerwise--setup-eglot))
  (with-eval-after-load 'lsp-mode (layerwise--setup-lsp-mode)))

(defun layerwise--setup-eglot ()
  "Tell Eglot of the server."
  (add-to-list 'eglot-server-programs
               `((dockerfile-mode dockerfile-ts-mode) . (,@layerwise-command :initializationOptions (:cacheStatus t))))
  (let ((configuration (default-value 'eglot-workspace-configuration)))
    (unless (or (functionp configuration) (consp (car-safe configuration)))
      (setq-default eglot-workspace-configuration
                    (plist-put (copy-sequence configuration) :layerwise layerwise-settings))))
  (eval '(cl-defmethod eglot-handle-notification (_server (_method (eql layerwise/cacheStatus)) &rest status)
           "Paint the marks of a Dockerfile."
           (layerwise--receive status))
        t))

(defun layerwise--setup-lsp-mode ()
  "Tell lsp-mode of the server."
  (add-to-list 'lsp-language-id-configuration '(dockerfile-ts-mode . "dockerfile"))
  (lsp-register-custom-settings
   (cl-loop for (name value) on layerwise-settings by #'cddr
            collect (list (concat "layerwise" (replace-regexp-in-string "\\`:" "." (symbol-name name))) value)))
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection (lambda () layerwise-command))
                    :activation-fn (lsp-activate-on "dockerfile")
                    :priority 1 ; before docker-langserver
                    :initialization-options (lambda () '(:cacheStatus t))
                    :notification-handlers (let ((handlers (make-hash-table :test 'equal)))
                                             (puthash "layerwise/cacheStatus"
                                                      (lambda (_workspace status) (layerwise--receive status))
                                                      handlers)
                                             handlers)
                    :server-id 'layerwise)))

(provide 'layerwise)

;;; layerwise.el ends here
