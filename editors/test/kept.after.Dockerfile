FROM node:22
WORKDIR /app
COPY package-lock.json package.json .npmrc* npm-shrinkwrap.json* ./
RUN npm ci
COPY . .
CMD ["node", "app.js"]
