document.title ||= 'resident'
