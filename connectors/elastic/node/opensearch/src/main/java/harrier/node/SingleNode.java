package harrier.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

/**
 * A single OpenSearch node on loopback, made of the published jars, for tests and demonstrations. Plugins come from the class path,
 * without a security manager and bootstrap checks; there is no plugin for security, so the node has neither users nor TLS. How a node
 * takes its plugins differs between the versions: ClasspathNode knows it.
 */
public final class SingleNode {
    private static final List<String> PLUGINS = List.of(
        "org.opensearch.transport.Netty4Plugin",
        "org.opensearch.analysis.common.CommonAnalysisPlugin",
        "org.opensearch.painless.PainlessPlugin",
        "org.opensearch.script.expression.ExpressionPlugin",
        "org.opensearch.script.mustache.MustachePlugin",
        "org.opensearch.index.mapper.MapperExtrasPlugin",
        "org.opensearch.join.ParentJoinPlugin",
        "org.opensearch.percolator.PercolatorPlugin",
        "org.opensearch.index.rankeval.RankEvalPlugin",
        "org.opensearch.index.reindex.ReindexPlugin",
        "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin",
        "org.opensearch.ingest.common.IngestCommonPlugin");

    private SingleNode() {}

    /** Runs the node until the parent ends it. */
    public static void main(String[] args) throws Exception {
        Parent parent = new Parent();
        parent.watch();
        Path config = Files.createDirectories(parent.home().resolve("config"));
        Settings.Builder settings = settings(parent.home());
        parent.settings().forEach(settings::put);
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), config, () -> "node");
        Node node = new ClasspathNode(env, PLUGINS);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
        parent.ready(node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort());
        new CountDownLatch(1).await();
    }

    /** What holds unless the parent says otherwise. The watermarks are off: a full disk of a developer must not make indices read-only. */
    private static Settings.Builder settings(Path home) {
        return Settings.builder()
            .put("path.home", home)
            .put("path.data", home.resolve("data"))
            .put("path.logs", home.resolve("logs"))
            .put("cluster.name", "harrier")
            .put("node.name", "node")
            .put("network.host", "127.0.0.1")
            .put("http.port", "0")
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("action.auto_create_index", true);
    }

    private static void close(Node node) {
        try {
            node.close();
        } catch (IOException e) {
            System.err.println("close: " + e);
        }
    }
}
