document.title ||= 'home'
