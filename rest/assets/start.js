// Opens Swagger UI on this server's document. Nothing is loaded from elsewhere.
window.ui = SwaggerUIBundle({
  url: '/documentation/json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
});
