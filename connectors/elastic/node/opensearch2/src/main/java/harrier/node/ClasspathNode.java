package harrier.node;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/** A node that takes its plugins from the class path: OpenSearch 2 is given their classes. */
final class ClasspathNode extends Node {
    ClasspathNode(Environment env, List<String> plugins) throws ClassNotFoundException {
        super(env, classes(plugins), false);
    }

    private static Collection<Class<? extends Plugin>> classes(List<String> names) throws ClassNotFoundException {
        List<Class<? extends Plugin>> found = new ArrayList<>();
        for (String name : names) {
            found.add(Class.forName(name).asSubclass(Plugin.class));
        }
        return found;
    }
}
