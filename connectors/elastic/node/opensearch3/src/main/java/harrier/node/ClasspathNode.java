package harrier.node;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.opensearch.Version;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/**
 * A node that takes its plugins from the class path: OpenSearch 3 is given a description of each. Those of its modules are called
 * ModulePlugin where OpenSearch 2 calls them Plugin.
 */
final class ClasspathNode extends Node {
    ClasspathNode(Environment env, List<String> plugins) throws ClassNotFoundException {
        super(env, described(plugins), false);
    }

    private static Collection<PluginInfo> described(List<String> plugins) throws ClassNotFoundException {
        List<PluginInfo> found = new ArrayList<>();
        for (String plugin : plugins) {
            // The server would only log that a class is missing, and start without it.
            String name = Class.forName(plugin.replaceFirst("Plugin$", "ModulePlugin")).getName();
            found.add(new PluginInfo(name, "from the class path", "NA", Version.CURRENT, "21", name, null, List.of(), false));
        }
        return found;
    }
}
