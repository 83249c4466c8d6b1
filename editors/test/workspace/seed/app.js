const { request } = require("https");
const { TARGET: host, METHOD: method, INTERVAL } = process.env;

setInterval(() => request({ host, method }, (res) => console.log(host, res.statusCode)).end(), Number(INTERVAL));
