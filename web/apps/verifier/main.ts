document.title ||= 'verifier'
