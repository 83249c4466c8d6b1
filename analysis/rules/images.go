package rules

// officialImages are images that can be named by one word: those of Docker Hub's library that are in wide use.
var officialImages = map[string]bool{
	"adminer": true, "almalinux": true, "alpine": true, "alt": true, "amazoncorretto": true, "amazonlinux": true, "api-firewall": true,
	"arangodb": true, "archlinux": true, "bash": true, "bonita": true, "buildpack-deps": true, "bun": true, "busybox": true, "caddy": true,
	"cassandra": true, "centos": true, "chronograf": true, "cirros": true, "clearlinux": true, "clefos": true, "clickhouse": true, "clojure": true,
	"composer": true, "consul": true, "convertigo": true, "couchbase": true, "couchdb": true, "crate": true, "crystal": true, "dart": true,
	"debian": true, "deno": true, "docker": true, "dotnet": true, "drupal": true, "eclipse-mosquitto": true, "eclipse-temurin": true,
	"elasticsearch": true, "elixir": true, "emqx": true, "erlang": true, "fedora": true, "flink": true, "fluentd": true, "friendica": true,
	"gazebo": true, "gcc": true, "geonetwork": true, "ghost": true, "golang": true, "gradle": true, "groovy": true, "haproxy": true,
	"haskell": true, "haxe": true, "hello-world": true, "hitch": true, "httpd": true, "hylang": true, "ibmjava": true, "influxdb": true,
	"irssi": true, "java": true, "jenkins": true, "jetty": true, "jobber": true, "joomla": true, "jruby": true, "julia": true, "kapacitor": true,
	"kibana": true, "kong": true, "krakend": true, "lightstreamer": true, "liquibase": true, "logstash": true, "mageia": true, "mariadb": true,
	"matomo": true, "maven": true, "mediawiki": true, "memcached": true, "mongo": true, "mongo-express": true, "monica": true, "mono": true,
	"mysql": true, "nats": true, "nats-streaming": true, "neo4j": true, "neurodebian": true, "nextcloud": true, "nginx": true, "node": true,
	"notary": true, "odoo": true, "open-liberty": true, "openjdk": true, "opensuse": true, "oraclelinux": true, "orientdb": true, "percona": true,
	"perl": true, "photon": true, "php": true, "php-zendserver": true, "phpmyadmin": true, "plone": true, "postfixadmin": true, "postgres": true,
	"pypy": true, "python": true, "r-base": true, "rabbitmq": true, "rakudo-star": true, "redis": true, "redmine": true, "registry": true,
	"rethinkdb": true, "rocket.chat": true, "rockylinux": true, "ros": true, "ruby": true, "rust": true, "sapmachine": true, "satosa": true,
	"scratch": true, "silverpeas": true, "sl": true, "solr": true, "sonarqube": true, "spark": true, "spiped": true, "storm": true, "swift": true,
	"swipl": true, "teamspeak": true, "telegraf": true, "thrift": true, "tomcat": true, "tomee": true, "traefik": true, "ubuntu": true, "unit": true,
	"varnish": true, "vault": true, "websphere-liberty": true, "wordpress": true, "xwiki": true, "yourls": true, "znc": true, "zookeeper": true,
}
