package org.elasticsearch.node;

import harrier.node.Parent;
import harrier.node.Release;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.plugins.ClasspathPlugins;
import org.elasticsearch.plugins.PluginsLoader;
import org.elasticsearch.plugins.PluginsService;

/**
 * A single Elasticsearch node on loopback, made of the published jars, for tests and demonstrations. The distribution's own launcher
 * needs a folder of modules that is not published as jars; here plugins come from the class path, without entitlements and bootstrap
 * checks. It sits in this package because the constructor of a node that takes its services is visible only here. What differs between
 * the versions is in Release, of which each has its own.
 */
public final class SingleNode extends Node {
    private SingleNode(Environment env) {
        super(NodeConstruction.prepareConstruction(env, PluginsLoader.createPluginsLoader(Set.of(), Set.of(), Map.of(), false),
            new NodeServiceProvider() {
                @Override
                PluginsService newPluginService(Environment e, PluginsLoader l) {
                    return new ClasspathPlugins(e, Release.PLUGINS);
                }
            }, false));
    }

    /** Runs the node until the parent ends it. */
    public static void main(String[] args) throws Exception {
        Parent parent = new Parent();
        parent.watch();
        Path config = Files.createDirectories(parent.home().resolve("config"));
        Settings.Builder settings = settings(parent.home());
        Release.configure(parent, config, settings);
        parent.settings().forEach(settings::put);
        LogConfigurator.configureESLogging();
        Node node = new SingleNode(InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), config, () -> "node"));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        parent.ready(node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort());
        new CountDownLatch(1).await();
    }

    /** What holds unless the parent says otherwise. The watermarks are off: a full disk of a developer must not make indices read-only. */
    private static Settings.Builder settings(Path home) {
        return Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .put("cluster.name", "harrier")
            .put("node.name", "node")
            .put("network.host", "127.0.0.1")
            .put("http.port", "0")
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
    }

    private static void close(Node node) {
        try {
            node.close();
        } catch (IOException e) {
            System.err.println("close: " + e);
        }
    }
}
